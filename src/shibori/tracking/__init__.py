"""Mask of earlier frames -> mask of the next frame: the engine every system stands on; by itself the system ``pixel``.

Read ``window_tracker.py`` for one step of an object, ``propagator.py`` for the loop over a stream, ``config.py`` for
every threshold. The page is ``docs/systems/tracking.md``. The room knows no system.
"""
