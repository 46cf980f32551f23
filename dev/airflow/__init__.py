"""A real Airflow in a folder of its own, the emulated TwinSync beside it, and the processes of both."""
