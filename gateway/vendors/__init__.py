"""Vendor rule files, and the immutable matcher that they are compiled to."""
