"""The pages of this package in the web UI of Airflow 3 and of Airflow 2, in a real browser."""
