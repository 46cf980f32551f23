"""The steps between a download and a stored video: the check, the poster, the files beside it."""
