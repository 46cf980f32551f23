"""Captions of a text, timed by the pauses of the voice."""
