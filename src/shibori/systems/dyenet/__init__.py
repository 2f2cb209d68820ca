"""DyeNet: re-identification and attention-aware recurrent mask propagation (Li and Loy, DAVIS Challenge 2018).

Read ``inference.py`` for the whole (Fig. 2a), ``network.py`` and ``model.py`` for the networks (Sec. 2.1, 2.2), and
``tracked_clip.py`` for the pass behind a tracker, which is ours. The page is ``docs/systems/dyenet.md``. No other
system knows this folder: it can be deleted with its lines in ``systems/__init__.py``.
"""
