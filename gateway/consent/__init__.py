"""Signals of consent in a request, and the one decision that follows from them."""
