"""Where collected events are sent."""
