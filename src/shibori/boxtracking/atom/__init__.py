"""ATOM: accurate tracking by overlap maximization (Danelljan et al., CVPR 2019), trackprop's tracker (Sec. 3.1)."""
