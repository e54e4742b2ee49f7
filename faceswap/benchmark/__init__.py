"""Timing the hot paths against what the machine can do."""
