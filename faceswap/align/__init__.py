"""Frames to a faceset: faces found, landmarks placed, crops cut."""
