"""strnn: interactive segmentation by a spatio-temporal RNN and online adaption (Lin et al., DAVIS Challenge 2019).

Read ``inference.py`` for the paper's rounds (Sec. 2.4.2), ``model.py`` for the RNN (Sec. 2.2), ``adaption.py`` for the
classifier (Sec. 2.3), and ``hybrid.py`` for the system ``strnn``, which is ours. The page is ``docs/systems/strnn.md``.
No other system knows this folder: it can be deleted with its lines in ``systems/__init__.py``.
"""
