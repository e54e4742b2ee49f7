"""Training: samples, augmentation, losses, optimisers, checkpoints."""
