"""The operators: plan the videos of a sheet, make a video, report a run, submit a job, download its video."""

from airflow_provider_twinsync._content.finished.video_check import VideoCheck
from airflow_provider_twinsync.operators.download import TwinSyncDownloadOperator
from airflow_provider_twinsync.operators.plan import TwinSyncPlanOperator
from airflow_provider_twinsync.operators.report import TwinSyncReportOperator
from airflow_provider_twinsync.operators.submit import TwinSyncSubmitOperator
from airflow_provider_twinsync.operators.video import TwinSyncVideoOperator

__all__ = [
    "TwinSyncDownloadOperator",
    "TwinSyncPlanOperator",
    "TwinSyncReportOperator",
    "TwinSyncSubmitOperator",
    "TwinSyncVideoOperator",
    "VideoCheck",
]
