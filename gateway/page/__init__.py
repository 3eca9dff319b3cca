"""Pages: bytes in, bytes out, and a report of what was withheld."""
