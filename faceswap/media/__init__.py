"""Clips in and out: frames, sound and times, through ffmpeg and PyAV."""
