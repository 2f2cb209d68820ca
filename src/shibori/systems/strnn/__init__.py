"""strnn: interactive segmentation by a spatio-temporal RNN and online adaption (Lin et al., 2019)."""
