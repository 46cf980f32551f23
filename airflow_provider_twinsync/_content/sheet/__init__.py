"""A sheet: its rows, their errors, and the plan of their videos."""
