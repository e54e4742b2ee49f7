"""Frames to aligned faces: geometry, landmarks, face models."""
