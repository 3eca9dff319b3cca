"""A demo site behind the gateway."""
