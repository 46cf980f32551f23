"""The help of an editor: every argument of a public call is described, and nothing else."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_twinsync import exceptions
from airflow_provider_twinsync._api.status import Job
from airflow_provider_twinsync.emulator import Emulator
from airflow_provider_twinsync.emulator.fault_queue import FaultQueue
from airflow_provider_twinsync.emulator.world import World
from airflow_provider_twinsync.hooks import TwinSyncHook
from airflow_provider_twinsync.operators import (
    TwinSyncDownloadOperator,
    TwinSyncPlanOperator,
    TwinSyncReportOperator,
    TwinSyncSubmitOperator,
)
from airflow_provider_twinsync.sensors import TwinSyncSensor
from airflow_provider_twinsync.text import count_words, split_text
from airflow_provider_twinsync.triggers import TwinSyncTrigger, WaitConfig
from airflow_provider_twinsync.voices import Voice, voices

if TYPE_CHECKING:
    from collections.abc import Callable

ERRORS = [kind for kind in vars(exceptions).values() if isinstance(kind, type) and "__init__" in vars(kind)]
PUBLIC: list[Callable[..., Any]] = [
    TwinSyncSubmitOperator,
    TwinSyncSensor,
    TwinSyncSensor.in_triggerer,
    TwinSyncDownloadOperator,
    TwinSyncReportOperator,
    TwinSyncPlanOperator,
    TwinSyncTrigger,
    WaitConfig,
    TwinSyncHook,
    TwinSyncHook.submit,
    TwinSyncHook.get_job,
    TwinSyncHook.aget_job,
    TwinSyncHook.download,
    Job,
    count_words,
    split_text,
    Voice,
    voices,
    exceptions.airflow_errors,
    *ERRORS,
    Emulator,
    World,
    World.advance,
    FaultQueue.add,
]


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__qualname__)
def test_the_described_arguments_are_those_that_there_are(public: Callable[..., Any]) -> None:
    """In their order; what goes on to Airflow's own class (``**kwargs``) is described there."""
    called = public.__init__ if isinstance(public, type) else public  # type: ignore[misc]
    names = [
        name
        for name, argument in inspect.signature(called).parameters.items()
        if name != "self" and argument.kind is not argument.VAR_KEYWORD
    ]
    assert names
    assert re.findall(r"^:param (\w+): \S", inspect.getdoc(public) or "", re.MULTILINE) == names
