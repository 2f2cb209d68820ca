"""Robust multiple object mask propagation with efficient object tracking (trackprop.md)."""
