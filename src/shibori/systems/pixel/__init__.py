"""The pixel tracker: the pixel-level half of IPDT, usable on its own. See README.md beside this file."""
