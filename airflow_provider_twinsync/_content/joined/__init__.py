"""One video of the videos of several jobs."""
