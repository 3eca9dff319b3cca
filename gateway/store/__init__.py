"""Durable storage: events that wait to be delivered."""
