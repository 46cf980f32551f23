"""The operators: submit a job, and download its video."""

from airflow_provider_twinsync.operators.download import TwinSyncDownloadOperator
from airflow_provider_twinsync.operators.submit import TwinSyncSubmitOperator

__all__ = ["TwinSyncDownloadOperator", "TwinSyncSubmitOperator"]
