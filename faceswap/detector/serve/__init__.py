"""The detector as a web service."""
