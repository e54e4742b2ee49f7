"""Masks: what of a crop is face, learned by a network, applied to facesets."""
