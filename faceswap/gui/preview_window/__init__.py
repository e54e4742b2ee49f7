"""The preview window of a training."""
