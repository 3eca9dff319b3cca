"""Consent Gateway: a reverse proxy that makes a web site obey its visitors' consent."""

__version__ = "0.1.0"
