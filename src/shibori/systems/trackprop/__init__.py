"""trackprop: marks to masks, and masks from frame to frame inside a tracker's region.

"Robust Multiple Object Mask Propagation with Efficient Object Tracking" (Ren, Yang, Liu, DAVIS Challenge 2019). Read
``inference.py`` for the rounds, ``marking.py`` for one marked frame (Sec. 3) and ``propagation.py`` for one frame to
the next (Sec. 3.1 to 3.3). The page is ``docs/systems/trackprop.md``. It can be deleted with its lines in
``systems/__init__.py``, which then hands strnn no refiner of marked frames.
"""
