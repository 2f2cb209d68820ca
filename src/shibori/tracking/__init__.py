"""Mask of earlier frames -> mask of the next frame: the engine everything stands on. See README.md beside this file."""
