"""Masks: what of a crop is face, marked by people, learned by a network, applied to facesets."""
