pytest_plugins = ["airflow_provider_twinsync.emulator.pytest_plugin"]
