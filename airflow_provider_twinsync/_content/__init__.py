"""Videos and their ingredients, beyond the calls of the service; only tasks import this."""
