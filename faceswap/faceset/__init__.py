"""A faceset: a folder of aligned faces with their metadata."""
