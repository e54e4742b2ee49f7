"""What a window needs to know of a training, read from its run folder alone: no torch, no Qt."""
