"""The page about the videos of a run."""
