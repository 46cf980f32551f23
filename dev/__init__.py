"""The developer's commands of the Makefile, such as ``make demo``; not part of the package."""
