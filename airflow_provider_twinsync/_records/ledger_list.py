"""The records of a ledger for a person: the files of each, its state, and their deletion.

A record here is all that a ledger has under one name: the submits of the same inputs, and the reports about
them. The newest submit has the state of the record: an earlier one failed, or a person has decided about it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import one_line, shown_destination, shown_text
from airflow_provider_twinsync._records.ledger import parse_entry
from airflow_provider_twinsync._records.submit_record import VERSION, SubmitRecord
from airflow_provider_twinsync.exceptions import TwinSyncError, UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_twinsync._records.ledger_folder import Folder

#: A submit has up to four requests with a minute in between: with the default of `request_timeout_s` it ends
#: within five minutes, and this is twice that.
SETTLED_AFTER_S = 600.0

#: `NAME.json`, `NAME.2.json` and `NAME.2.reported-….json`; drafts and other files are no records.
_FILE = re.compile(
    r"(?P<name>[0-9a-f]{32}-[0-9a-f]{8}(-[0-9a-f]{12})?)(\.(?P<number>[1-9][0-9]{0,8}))?"
    r"(?P<report>\.reported-[0-9a-z-]+)?\.json"
)
#: A store answers a request in about 50 ms.
_READERS = 16


class State(Enum):
    """The state of a record.

    >>> State.STORED.needs_person, State.UNCERTAIN.needs_person
    (False, True)
    """

    SUBMITTING = "submitting"  # an intent that may still get its job
    SUBMITTED = "submitted"
    STORED = "stored"  # the video is
    REJECTED = "rejected"  # the video failed its check
    NO_JOB = "no job"
    UNCERTAIN = "uncertain"
    DAMAGED = "damaged"
    NEWER = "newer"  # of a newer version of this package
    UNREADABLE = "unreadable"  # the disk or the store does not return it

    @property
    def needs_person(self) -> bool:
        """Return True if a person has to decide."""
        return self in (State.UNCERTAIN, State.DAMAGED, State.NEWER, State.UNREADABLE)


@dataclass(frozen=True, slots=True)
class Row:
    """A record, by its newest submit.

    :param name: the name, which its files begin with.
    :param record: the newest submit.
    :param age_s: the time since that submit began; None if it is unknown.
    :param video: the place of the stored video, if there is one.
    :param names_job: the answer to an uncertain submit named a job.
    :param problem: the error of the disk or the store, if the record is unreadable.
    :param entry: the newest submit as the ledger has it; None if it is damaged.
    """

    name: str
    state: State
    record: SubmitRecord
    age_s: float | None = None
    video: str | None = None
    names_job: bool = False
    problem: str = ""
    entry: Mapping[str, Any] | None = None


def find_records(folder: Folder) -> dict[str, list[str]]:
    """Return the names of all records, each with its files in the order in which they are deleted.

    The newest submit comes first, so that a deletion that is interrupted leaves the older ones: a task then
    decides as before that submit. A report comes before its submit, as no later submit may find it.

    :raises UsageError: there is no such ledger, or no permission to read it.
    :raises UnavailableError: the ledger cannot be read now.
    """
    try:
        files = folder.names()
    except Exception as error:  # of any store
        raise unusable(folder, error) from None
    found: dict[str, list[tuple[int, bool, str]]] = defaultdict(list)
    for file in files:
        if match := _FILE.fullmatch(file):
            found[match["name"]].append((int(match["number"] or 1), bool(match["report"]), file))
    return {name: [file for *_, file in sorted(parts, reverse=True)] for name, parts in found.items()}


def find_name(folder: Folder, names: Mapping[str, Any], given: str) -> str:
    """Return the name that a person means.

    :param given: a name, its unique beginning, or its beginning and end with ``…`` in between.
    :raises UsageError: no name or several names are meant.
    """
    wanted = given.strip().removesuffix(".json")
    if wanted in names:
        return wanted
    begin, _, end = wanted.partition("…")
    meant = sorted(name for name in names if name.startswith(begin) and name.endswith(end))
    if not meant or not begin:
        raise UsageError(
            f"TS335 The ledger {shown_destination(folder.address)} has no record {shown_text(given)}. "
            "A list without a name shows all records."
        )
    if len(meant) > 1:
        some = ", ".join(meant[:3]) + (", …" if len(meant) > 3 else "")
        raise UsageError(
            f"TS336 {shown_text(given)} is the beginning of {len(meant)} records: {some}. Give more of the "
            "name."
        )
    return meant[0]


def read_rows(folder: Folder, records: Mapping[str, list[str]], now: datetime) -> list[Row]:
    """Return the rows of some records, the newest submit first. That takes one request for each record.

    :param records: the result of :func:`find_records`, or a part of it.
    :param now: the time, with its time zone.
    """

    def read(name: str) -> Row | None:
        return _row(folder, name, records[name], now)

    with ThreadPoolExecutor(_READERS) as pool:
        rows = [row for row in pool.map(read, records) if row]
    return sorted(rows, key=lambda row: (row.age_s is None, row.age_s, row.name))


def _row(folder: Folder, name: str, files: list[str], now: datetime) -> Row | None:
    """Return the row of a record, or None if it was deleted just now."""
    submits = [file for file in files if ".reported-" not in file]
    if not submits:  # a report alone would be taken for one of a later submit
        return Row(name, State.DAMAGED, SubmitRecord.read("damaged"))
    data = read_file(folder, submits[0])
    if data is None:
        return None
    if isinstance(data, OSError):
        problem = f"{type(data).__name__}: {one_line(str(data))}"
        return Row(name, State.UNREADABLE, SubmitRecord.read("unreadable"), problem=problem)
    entry = parse_entry(data, name[:32])
    record = SubmitRecord.read(entry)
    age_s = _age_s(record, now)
    video = _video(entry)
    reports = files[: files.index(submits[0])]
    is_settled = reports or age_s is None or age_s > SETTLED_AFTER_S
    names_job = False
    if record.is_damaged:
        version = entry.get("v") if isinstance(entry, dict) else None
        state = State.NEWER if type(version) is int and version > VERSION else State.DAMAGED
    elif record.twinsync_task_id:
        state = State.STORED if video else State.SUBMITTED
        if record.rejected is not None:
            state = State.REJECTED
    elif record.made_no_job:
        state = State.NO_JOB
    else:
        state = State.UNCERTAIN if is_settled else State.SUBMITTING
        names_job = any(_names_job(read_file(folder, file), name) for file in reports)
    known = entry if isinstance(entry, dict) else None
    return Row(name, state, record, age_s, video, names_job, entry=known)


def _names_job(report: bytes | OSError | None, name: str) -> bool:
    entry = parse_entry(report, name[:32]) if isinstance(report, bytes) else None
    return isinstance(entry, dict) and entry.get("names_job") is True


def read_file(folder: Folder, file: str) -> bytes | OSError | None:
    """Return the content of a file, None if it does not exist, or the error that is of this file alone.

    :raises UnavailableError: the ledger cannot be read now.
    """
    try:
        return folder.read(file)
    except (ConnectionError, TimeoutError) as error:
        raise unusable(folder, error) from None
    except OSError as error:
        return error
    except Exception as error:  # of any store
        raise unusable(folder, error) from None


def delete_files(folder: Folder, files: list[str]) -> None:
    """Delete the files of a record, in their order.

    :raises UnavailableError: a file could not be deleted; the message names it.
    """
    for number, file in enumerate(files):
        try:
            folder.delete(file)
        except FileNotFoundError:
            continue
        except Exception as error:  # of any store
            raise UnavailableError(
                f"TS337 Could not delete {file} ({type(error).__name__}: {one_line(str(error))}). Of the "
                f"{len(files)} files of this record {number} are deleted."
            ) from None


def unusable(folder: Folder, error: Exception) -> TwinSyncError:
    """Return the error of a ledger that cannot be read."""
    if isinstance(error, TwinSyncError):
        return error
    shown = shown_destination(folder.address)
    problem = f"{type(error).__name__}: {one_line(str(error))}"
    if isinstance(error, FileNotFoundError):
        return UsageError(
            f"TS331 There is no ledger {shown} ({problem}). The first submit makes the folder; in an object "
            "store the bucket must exist."
        )
    if isinstance(error, NotADirectoryError):
        return UsageError(f"TS331 There is no ledger {shown}: this is a file. Give its folder.")
    if isinstance(error, PermissionError):
        return UsageError(f"TS338 No permission to read the ledger {shown} ({problem}).")
    return UnavailableError(f"TS334 Could not read the ledger {shown} ({problem}).")


def _age_s(record: SubmitRecord, now: datetime) -> float | None:
    try:
        began = datetime.fromisoformat(record.marked_at)
    except ValueError:
        return None
    if began.tzinfo is None:
        began = began.replace(tzinfo=timezone.utc)
    return max(0.0, (now - began).total_seconds())


def _video(entry: Any) -> str | None:
    stored = entry.get("stored") if isinstance(entry, dict) else None
    path = stored.get("path") if isinstance(stored, dict) else None
    return path if isinstance(path, str) and path else None
