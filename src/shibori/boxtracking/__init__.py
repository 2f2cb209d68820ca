"""Box -> box in the next frame: ATOM, the Siamese tracker, the frozen trunks they look through, their training."""
