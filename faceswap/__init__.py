"""The face-swap workbench: frames to faces to masks to training to merging to a marked video."""

__version__ = "0.1.0"
