"""Compare the rows of a plan with a ledger: new, unchanged or to retry, and the jobs to pay for."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import one_line
from airflow_provider_twinsync._api.status import JobState
from airflow_provider_twinsync._download.destination import find_place
from airflow_provider_twinsync._records.ledger import account, record_name
from airflow_provider_twinsync._records.ledger_folder import open_folder
from airflow_provider_twinsync._records.ledger_list import State, find_records, read_rows
from airflow_provider_twinsync._records.stored import videos_of
from airflow_provider_twinsync.exceptions import StatusError, UsageError
from airflow_provider_twinsync.operators.videos import joint_fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_provider_twinsync._api.settings import Settings
    from airflow_provider_twinsync._api.status import Job
    from airflow_provider_twinsync._content.sheet.plan import PlannedRow
    from airflow_provider_twinsync._download.destination import Place
    from airflow_provider_twinsync._records.ledger_list import Row

log = logging.getLogger(__name__)

_READERS = 16
#: The field of a stored video that has the result of an option.
_RESULTS = {"poster": "poster", "check": "checks"}


def job_names(row: PlannedRow, settings: Settings) -> list[str]:
    """Return the names of the records of a row's jobs, in the order of the text's parts."""
    of_account = account(settings.url, settings.key)
    return [record_name(inputs, of_account, None) for inputs in row.inputs]


def count_jobs(
    rows: Iterable[PlannedRow], names: dict[str, list[str]], is_paid: Callable[[str], bool]
) -> None:
    """Set the number of jobs that each row pays for. Two rows with equal inputs share one job.

    :param rows: the rows, in the order of the sheet.
    :param names: the names of the jobs of each row, by its id.
    :param is_paid: returns True for a job that needs no payment.
    """
    seen: set[str] = set()
    for row in rows:
        own = set(names[row.row_id]) - seen
        row.jobs = sum(not is_paid(name) for name in own)
        seen |= own


def compare(
    rows: list[PlannedRow],
    ledger: Any,
    settings: Settings,
    places: dict[str, Place],
    get_job: Callable[[str], Job],
) -> None:
    """Set the state and the jobs of rows of one connection.

    :param rows: the rows without errors.
    :param ledger: the ledger; None makes all rows new.
    :param settings: the settings of the connection.
    :param places: the place of each destination.
    :param get_job: a function that requests the status of a job.
    :raises UsageError: the ledger cannot be used.
    :raises UnavailableError: the ledger cannot be read now.
    """
    names = {row.row_id: job_names(row, settings) for row in rows}
    if ledger is None:
        count_jobs(rows, names, lambda _: False)
        return
    known = _read(ledger, {name for own in names.values() for name in own})
    with ThreadPoolExecutor(_READERS) as pool:
        stored = list(pool.map(lambda row: _stored(row, names[row.row_id], known, places), rows))
    for row, video in zip(rows, stored, strict=True):
        if video:
            row.state, row.stored = "unchanged", video
    waiting = {
        name
        for row in rows
        if row.state != "unchanged"
        for name in names[row.row_id]
        if name in known and known[name].state is State.SUBMITTED and not _is_bad(known[name])
    }
    failed = _failed({name: known[name] for name in waiting}, get_job)
    has_job = {
        name
        for name, record in known.items()
        if name not in failed
        and not _is_bad(record)
        and record.state in (State.STORED, State.SUBMITTED, State.SUBMITTING)
    }
    for row in rows:
        if row.state != "unchanged":
            _decide(row, names[row.row_id], known, has_job)
    to_make = [row for row in rows if row.state != "unchanged"]
    count_jobs(to_make, names, has_job.__contains__)


def _read(ledger: Any, wanted: set[str]) -> dict[str, Row]:
    """Return the records with these names, in one listing and one request for each record that exists."""
    folder = open_folder(ledger)
    try:
        found = find_records(folder)
    except UsageError as error:
        if isinstance(error.__context__, FileNotFoundError):  # the first night
            return {}
        raise
    records = {name: files for name, files in found.items() if name in wanted}
    return {row.name: row for row in read_rows(folder, records, datetime.now(timezone.utc))}


def _is_bad(record: Row) -> bool:
    """Return True if the video of a job failed its check."""
    return bool(record.entry and record.entry.get("rejected"))


def _stored(
    row: PlannedRow, names: list[str], known: dict[str, Row], places: dict[str, Place]
) -> dict[str, Any] | None:
    """Return the video that an earlier run stored at the destination of a row, if it is still there.

    Only the size of the file is compared. The task of the video compares the checksum.
    """
    records = [known.get(name) for name in names]
    if not all(record and record.state is State.STORED and not _is_bad(record) for record in records):
        return None
    inputs = joint_fingerprint(row.inputs)
    place = places[row.arguments["destination"]]
    try:
        for video in videos_of((records[0].entry or {}) if records[0] else {}):
            if video.get("path") == place.address and video.get("inputs", row.inputs[0]) == inputs:
                return video if _is_there(video, place, row.arguments) else None
    except Exception as error:  # of any store: the task of the video finds it again
        log.debug("Could not read the size of %s: %s", place.address, error)
    return None


def _is_there(video: dict[str, Any], place: Place, arguments: Mapping[str, Any]) -> bool:
    """Return whether a stored video is unchanged, and has all that its row asks for."""
    captions = video.get("captions") or {}
    is_lacking = any(arguments.get(option) and not video.get(result) for option, result in _RESULTS.items())
    if is_lacking or not set(arguments.get("captions", ())) <= set(captions):
        return False
    beside = {video.get("poster"), *captions.values()} - {None, place.address}
    return place.size() == video.get("bytes") and all(find_place(one).size() for one in beside)


def _failed(waiting: dict[str, Row], get_job: Callable[[str], Job]) -> set[str]:
    """Return the jobs without a stored video that failed at the service, or whose state is unknown.

    After the first poll without a usable answer, the other jobs are not polled and count as failed, so that
    the plan never counts too few jobs.
    """
    is_down = False

    def has_failed(record: Row) -> bool:
        nonlocal is_down
        if is_down or not record.record.twinsync_task_id:
            return True
        try:
            return get_job(record.record.twinsync_task_id).state is JobState.FAILED
        except StatusError as error:
            log.info("The status of a job is unavailable (%s).", one_line(str(error)))
            is_down = True
            return True

    with ThreadPoolExecutor(_READERS) as pool:
        failed = pool.map(has_failed, waiting.values())
        return {name for name, is_failed in zip(waiting, failed, strict=True) if is_failed}


def _decide(row: PlannedRow, names: list[str], known: dict[str, Row], has_job: set[str]) -> None:
    """Set the state of a row that has no stored video, and the reason of a retry."""
    found = [known[name] for name in names if name in known]
    bad = [record for record in found if record.name not in has_job]
    if bad:
        row.state = "retry"
        if any(_is_bad(record) for record in bad):
            note = "its video was rejected by the check"
        elif undecided := [record for record in bad if record.state.needs_person]:
            note = f"the record of a submit is {undecided[0].state.value}: check the account"
        else:
            note = "its job failed, or its status is unknown"
    elif len(found) == len(names):
        row.state, note = "retry", "its job is paid; the video is fetched"
    else:
        return
    row.note = f"{row.note} {note}".strip()
