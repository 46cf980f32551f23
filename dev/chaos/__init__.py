"""Videos on a real Airflow while its parts are killed, and an account of each video."""
