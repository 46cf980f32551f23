"""What the developer's commands in the Makefile run; not part of the package."""
