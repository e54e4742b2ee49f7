"""Bytes in and out, without torch: the only place, with media, where BGR exists."""
