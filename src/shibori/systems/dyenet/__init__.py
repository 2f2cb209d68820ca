"""DyeNet: re-identification and attention-aware recurrent mask propagation (Li and Loy, DAVIS Challenge 2018).

Read ``offline.py`` for the whole (Fig. 2a), ``network.py`` and ``model.py`` for the networks (Sec. 2.1, 2.2). The pass
forward is DyeNet's own (``forward_pass.py``) or, ours, a tracker's (``tracker_pass.py``); either brings what starting
points are judged by. The page is ``docs/systems/dyenet.md``. No other system knows this folder: it can be deleted with
its lines in ``systems/__init__.py``.
"""
