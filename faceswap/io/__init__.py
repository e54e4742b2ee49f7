"""Pixels and bytes in and out: the only place where BGR exists."""
