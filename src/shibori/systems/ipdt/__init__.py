"""IPDT finds, classifies, tracks and segments every instance of a clip without any mark.

"Dual Embedding Learning for Video Instance Segmentation" (Feng et al., 2019). Read ``inference.py`` for the whole (Fig.
1), ``network.py`` for the detector (Sec. 3.1) and ``dual.py`` for box and mask in step (Sec. 3.3). The page is
``docs/systems/ipdt.md``. No other system knows this folder: it can be deleted with its lines in
``systems/__init__.py``.
"""
