"""IPDT: finds, classifies, tracks and segments every instance of a clip without any mark."""
