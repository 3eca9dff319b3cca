"""Fuzzing: inputs nobody would write, and what must hold for all of them.

`python -m tests.fuzz --target page --seconds 60` runs one target for a time; README.md says what was run so far.
"""
