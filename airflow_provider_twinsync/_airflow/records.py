"""The records of a submit task: in a ledger, in Airflow's task state store, or nowhere."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._airflow.admission import Admission
from airflow_provider_twinsync._airflow.stats import count_reconnect, count_submit
from airflow_provider_twinsync._airflow.submitting import (
    Submission,
    prepare_submit,
    submit_job,
    submits_again,
)
from airflow_provider_twinsync._api.redaction import hide
from airflow_provider_twinsync._api.shown import one_line, shown_text
from airflow_provider_twinsync._api.submit import fingerprint, shown_job
from airflow_provider_twinsync._records.keeper import RecordKeeper
from airflow_provider_twinsync._records.reconnect import find_job
from airflow_provider_twinsync._records.stored import write_rejected
from airflow_provider_twinsync._records.submit_record import INSTANCE, rejection
from airflow_provider_twinsync._records.task_state_store import STORE_KEY, TaskStateStore
from airflow_provider_twinsync.exceptions import TwinSyncError, UncertainSubmitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_provider_twinsync._airflow.lineage import Inputs
    from airflow_provider_twinsync._api.exchange import Request
    from airflow_provider_twinsync._api.settings import Settings
    from airflow_provider_twinsync._api.status import Job, JobState
    from airflow_provider_twinsync._records.ledger import Ledger
    from airflow_provider_twinsync.exceptions import VideoRejectedError

log = logging.getLogger(__name__)

Reuse = Literal["tries", "runs"]
_MOST_SHOWN = 2_000


def task_state_store(context: Mapping[str, Any] | None, key: str = STORE_KEY) -> TaskStateStore | None:
    """Return an entry of the state store of a task; None outside of a task, and below Airflow 3.3."""
    store = (context or {}).get("task_state_store")
    return None if store is None else TaskStateStore(store, key)


def check_reuse(reuse: Any) -> None:
    """Check the word of the argument ``reuse``.

    :raises UsageError: it is another word, which might keep no record.
    """
    if reuse not in get_args(Reuse):
        raise UsageError(f"TS132 reuse is {shown_text(reuse)}: it should be 'tries' or 'runs'.")


def open_records(
    context: Mapping[str, Any] | None,
    settings: Settings,
    request: Request,
    *,
    ledger: Any,
    reuse: Reuse,
    durable: bool = True,
    is_one_of_many: bool = False,
) -> RecordKeeper:
    """Return the keeper of the records of a submit. Sends nothing.

    :param context: the context of the task; None outside of a task.
    :param settings: the settings of the connection, whose ledger is the default.
    :param request: the submit.
    :param ledger: the ledger of the task, or None.
    :param reuse: ``tries`` or ``runs``.
    :param durable: whether the task keeps records.
    :param is_one_of_many: the task may submit other inputs as well.
    :raises UsageError: ``reuse`` is another word, the ledger cannot be used, or ``reuse="runs"`` has none.
    """
    check_reuse(reuse)
    form, photo = request.form or {}, request.photo
    assert photo  # noqa: S101  # for the type checker
    text, pronouncer = form["text"], form["pronouncer"]
    inputs = fingerprint(settings.url, text, photo.identity, pronouncer)
    shown = hide(shown_job(text, photo.shown), settings.key, _MOST_SHOWN)
    clears = internals.count_of_clears(context["ti"]) if context else 0
    ledger = settings.ledger if ledger is None else ledger
    key = f"{STORE_KEY}_{inputs}" if is_one_of_many else STORE_KEY
    state = task_state_store(context, key) if durable else None
    if reuse == "runs" and (ledger is None or not durable):
        raise UsageError(
            "TS133 reuse='runs' needs a ledger, which outlives the run, and durable=True: give the task a "
            "ledger, such as 's3://aws_default@videos/ledger', or put one into the connection's extra."
        )
    if ledger is None or not durable or _has_begun_in(state, inputs, try_number_of(context)):
        return RecordKeeper(state, inputs, shown, clears)
    owner = owner_of(context)
    details = {
        "pronouncer": shown_text(hide(pronouncer, settings.key, _MOST_SHOWN)),
        "service": settings.url,
        "reuse": reuse,
        "owner": owner,
    }
    return RecordKeeper(
        _open_ledger(ledger, settings, inputs, owner, reuse, state), inputs, shown, clears, details
    )


def _has_begun_in(state: TaskStateStore | None, inputs: str, try_number: int) -> bool:
    """Return whether an earlier try submitted the same inputs before the task had a ledger."""
    found = state.read() if state and try_number > 1 else None
    if not isinstance(found, dict):
        return found is not None
    # The id of a job that a ledger did not take is there too, with the token of its record.
    return found.get("inputs") == inputs and "token" not in found


def _open_ledger(
    ledger: Any, settings: Settings, inputs: str, owner: Any, reuse: Reuse, spare: TaskStateStore | None
) -> Ledger:
    # Here, as `ObjectStoragePath` is slow to import.
    from airflow_provider_twinsync._records.ledger import Ledger, account, record_name
    from airflow_provider_twinsync._records.ledger_folder import open_folder

    if reuse == "tries" and owner is None:
        raise UsageError(
            "TS134 reuse='tries' is for the tries of a task, and this is none: give reuse='runs'."
        )
    of_account = account(settings.url, settings.key)
    name = record_name(inputs, of_account, owner if reuse == "tries" else None)
    return Ledger(open_folder(ledger), name, inputs, owner, spare)


def owner_of(context: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the task instance of a context, as a record has it."""
    if context is None:
        return None
    ti = context["ti"]
    return {name: getattr(ti, name, None) for name in (*INSTANCE, "try_number")}


def mark_rejected(context: Mapping[str, Any], jobs: Iterable[Inputs], error: VideoRejectedError) -> None:
    """Mark jobs whose video failed its check, in their records. A failure is only logged.

    A job with the mark counts as failed: a clear by a person or another run submits a new one. A retry of the
    task that has written the mark raises the error again.

    :param context: the context of the task that checked the video.
    :param jobs: the jobs of the video.
    :param error: the result of the check.
    """
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    mark = rejection(
        str(error), error.checks, owner_of(context), internals.count_of_clears(context["ti"]), now
    )
    for job in jobs:
        twinsync_task_id = job["twinsync_task_id"]
        try:
            is_marked = job["record"] and write_rejected(job["record"], twinsync_task_id, mark)
            # The entry of a video operator; a ledger that did not take the job has a copy there.
            state = task_state_store(context, f"{STORE_KEY}_{job['fingerprint']}")
            if not is_marked and state:
                state.write_rejected(twinsync_task_id, mark)
        except Exception as problem:  # of any store: the result of the check matters more
            log.warning(
                "TS534 Could not mark TwinSync job %s as rejected (%s). Another try reconnects to it, and "
                "its video fails again: delete its record for a new job.",
                twinsync_task_id,
                one_line(f"{type(problem).__name__}: {problem}"),
            )


def current_context() -> Mapping[str, Any] | None:
    """Return the context of the task that runs in this process, or None outside of a task."""
    from airflow.providers.common.compat.sdk import get_current_context

    try:
        return get_current_context()
    except (RuntimeError, AirflowException):  # Airflow 3, Airflow 2
        return None


def reconnect_or_submit(
    keeper: RecordKeeper,
    settings: Settings,
    request: Request,
    submission: Submission,
    *,
    get_job: Callable[[str], Job],
    log: Any,
    context: Mapping[str, Any] | None,
    may_pay_twice: bool,
) -> str:
    """Return the job of an earlier submit, or submit one; an end by an error is recorded.

    :param request: the result of :func:`prepare_submit`.
    :param submission: has the job afterwards, if it is not an earlier one.
    :param get_job: a function that requests the status of a job.
    :param log: the task's logger.
    :param context: the context of the task; None outside of a task.
    :param may_pay_twice: ``on_uncertain_submit="retry"``.
    :raises TwinSyncError: as ``TwinSyncHook.submit_once``.
    """
    states: list[JobState | None] = []
    admission = Admission(settings, getattr(keeper.store, "folder", None), log)
    submission.admission = admission

    def get_state(twinsync_task_id: str) -> Job:
        states.append(None)
        job = get_job(twinsync_task_id)
        states[-1] = job.state
        return job

    try:
        try:
            earlier = find_job(
                keeper,
                get_state,
                log,
                try_number=try_number_of(context),
                may_pay_twice=may_pay_twice,
                patience_s=settings.request_timeout_s,
                admit=admission.wait if admission.is_bounded else None,
            )
        except UncertainSubmitError:
            if keeper.record.told_at_max_tries is None:  # its own try was killed before it counted it
                count_submit("uncertain")
            raise
        if keeper.store is not None:
            count_reconnect(context, earlier, states)
        if earlier is None:
            return submit_job(settings, request, log, submission)
        admission.give_back()  # another task submitted while this one waited for its turn
        return earlier
    except BaseException as error:  # an alarm may ring at any line
        if job := submission.twinsync_task_id:
            submission.is_recorded = keeper.write_job(job)
        elif keeper.has_begun:
            if not submission.may_have_job:
                keeper.write_no_job()
            elif not submits_again(error, may_pay_twice=may_pay_twice):
                # Before the record: a person may clear a task that dies between the record and its end.
                log.warning("%s", submission.ended_by(error))
                keeper.write_reported(names_job=getattr(error, "names_job", False))
        if not submission.may_have_job:
            admission.give_back()
        raise


def try_number_of(context: Mapping[str, Any] | None) -> int:
    """Return the number of a task's try; 1 outside of a task."""
    return getattr(context["ti"], "try_number", 1) if context else 1


def submit_once(
    settings: Settings,
    inputs: dict[str, Any],
    *,
    get_job: Callable[[str], Job],
    log: Any,
    ledger: Any,
    reuse: Reuse,
) -> str:
    """Submit a job, or return the earlier one; as ``TwinSyncHook.submit_once``."""
    context, submission = current_context(), Submission()
    request = prepare_submit(settings, **inputs)
    keeper = open_records(context, settings, request, ledger=ledger, reuse=reuse, is_one_of_many=True)
    try:
        job = reconnect_or_submit(
            keeper,
            settings,
            request,
            submission,
            get_job=get_job,
            log=log,
            context=context,
            may_pay_twice=False,
        )
        if submission.twinsync_task_id:
            keeper.write_job(job)
        return job
    except TwinSyncError:
        raise
    except BaseException as error:  # an alarm may ring at any line, also while the job is recorded
        if submission.twinsync_task_id is None:
            raise
        raise submission.ended_by(error) from None
