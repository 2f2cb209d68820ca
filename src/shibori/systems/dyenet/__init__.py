"""DyeNet: re-identification and attention-aware recurrent mask propagation (Li and Loy, DAVIS Challenge 2018)."""
