"""`make simulate`: many waits of the shipped trigger in universes that a seed decides."""
