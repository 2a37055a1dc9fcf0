"""Bytes and headers from outside, read into the words of this house. Pure; one file a source."""
