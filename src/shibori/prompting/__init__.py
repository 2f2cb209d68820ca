"""Marks on one frame (clicks, boxes, strokes, a previous mask) -> the mask of that frame, with a quality.

Read ``network.py`` for what is computed, ``segmenter.py`` for what the rest of the house calls, ``losses.py`` for how
it is taught with simulated marks. It stands beside ``tracking`` and knows no system; its page is
``docs/systems/prompting.md``.
"""
