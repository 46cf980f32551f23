"""The ledger: the submit records of many tasks and runs, in a folder of a disk or an object store.

Each submit has a file of its own, which is *created*, and never replaced, by the task that submits: of two
tasks one alone can create it, so one alone submits. ``NAME.json`` is the first submit of its inputs. If its
job fails, or a person decides after an uncertain submit, the next one is ``NAME.2.json``, and so on. Only the
task that created a file writes the job's id into it. All that a store needs is a write that fails if the
object exists; S3, Google Cloud Storage and Azure have it, and fsspec passes it on (``mode="create"``).
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import shlex
import uuid
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import bare_url, one_line, shown_destination
from airflow_provider_twinsync._records.submit_record import INSTANCE, SubmitRecord, record_bytes
from airflow_provider_twinsync.exceptions import UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_twinsync._records.keeper import RecordStore
    from airflow_provider_twinsync._records.ledger_folder import Folder

log = logging.getLogger(__name__)

#: An entry that cannot be read, as :func:`parse_entry` returns it.
_UNREADABLE = "unreadable"
#: Enough that a stolen ledger does not reveal a weak key fast, and five milliseconds for a task.
_ROUNDS = 20_000
#: Errors that a retry meets again.
_LASTING = (PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError, NotImplementedError)


@lru_cache(maxsize=8)
def account(url: str, key: str) -> str:
    """Return eight hexadecimal digits for an access key at a service.

    Two accounts have two records of the same inputs. The digits are too few to find the key by them.

    :param url: the address of the service.
    :param key: the access key.
    """
    return hashlib.pbkdf2_hmac("sha256", key.encode(), url.encode(), _ROUNDS, dklen=4).hex()


def record_name(inputs: str, account: str, owner: Mapping[str, Any] | None) -> str:
    """Return the name of the records of a submit, without ``.json``.

    >>> record_name("00ff", "1234abcd", None)
    '00ff-1234abcd'

    :param inputs: the fingerprint of the inputs.
    :param account: the result of :func:`account`.
    :param owner: the task instance, for ``reuse="tries"``; None for ``reuse="runs"``.
    """
    return f"{inputs}-{account}" + (f"-{_digest(owner)}" if owner else "")


def _digest(owner: Mapping[str, Any]) -> str:
    place = [owner.get(name) for name in INSTANCE]
    return hashlib.sha256(json.dumps(place).encode()).hexdigest()[:12]


def parse_entry(data: bytes, inputs: str) -> Any:
    """Return the entry in a file of a ledger; a file of other inputs counts as one that cannot be read.

    >>> parse_entry(b'{"inputs": "00ff"}', "00ff"), parse_entry(b"[]", "00ff")
    ({'inputs': '00ff'}, 'unreadable')
    """
    try:
        entry = json.loads(data)
    except (ValueError, RecursionError):
        return _UNREADABLE
    return entry if isinstance(entry, dict) and entry.get("inputs") == inputs else _UNREADABLE


class Ledger:
    """The records of the submits of the same inputs, in a ledger.

    :param folder: the folder of the ledger.
    :param name: the result of :func:`record_name`.
    :param inputs: the fingerprint of the inputs.
    :param owner: the task instance that submits; None outside of a task.
    :param spare: Airflow's task state store, which gets the job's id if the ledger does not take it.
    """

    creates = True

    def __init__(
        self,
        folder: Folder,
        name: str,
        inputs: str,
        owner: Mapping[str, Any] | None,
        spare: RecordStore | None = None,
    ) -> None:
        self._folder = folder
        self._name = name
        self._inputs = inputs
        self._owner = owner
        self._spare = spare
        self._number = 1
        self._token = ""  # of the record that this task began
        self._has_refused = False
        self._found: Any = None  # the current record, if it was read already
        self._seen: Any = None  # the token of the record that was read
        self.how_to_delete = (
            f"delete the record with: python -m airflow_provider_twinsync ledger "
            f"{shlex.quote(one_line(bare_url(folder.address), 1_000))} --delete {name}"
        )
        self.why_missing = (
            f"The ledger {shown_destination(folder.address)} has none for these inputs: a template that "
            "renders to another value makes other inputs, as does another access key."
        )

    @property
    def folder(self) -> Folder:
        """The folder of the ledger."""
        return self._folder

    @property
    def address(self) -> str:
        """The address of the current record."""
        return f"{self._folder.address.rstrip('/')}/{self._file}"

    @property
    def _file(self) -> str:
        return f"{self._name}.json" if self._number == 1 else f"{self._name}.{self._number}.json"

    @property
    def _report_file(self) -> str:
        who = _digest(self._owner) if self._owner else "no-task"
        return f"{self._name}.{self._number}.reported-{who}.json"

    def read(self) -> Any:
        """Return the current record, with the report of this task about it, or None.

        :raises UsageError: the ledger cannot be used.
        :raises UnavailableError: the ledger cannot be read now.
        """
        entry, self._found = self._found or self._read(self._file), None
        if entry is None or self._is_decided(entry):
            return entry
        if not isinstance(entry, dict):
            entry = {}
        if self._spare and entry.get("token"):
            with suppress(UnavailableError):
                kept = self._spare.read()
                if isinstance(kept, dict) and kept.get("token") == entry["token"]:
                    return kept
        self._seen = entry.get("token")
        report = self._read(self._report_file)
        is_of_this = self._token_of(report) == self._seen  # and not of a record that was deleted
        return {**entry, **(_report_of(report) if is_of_this else {})}

    def _is_decided(self, entry: Any) -> bool:
        """Return whether no report of this task can matter for a record."""
        record = SubmitRecord.read(entry, self._owner)
        is_over = record.twinsync_task_id or record.made_no_job or record.is_of_other
        return bool(is_over) and not record.is_damaged

    def _read(self, file: str) -> Any:
        """Return the content of a file, or None if it does not exist."""
        try:
            data = self._folder.read(file)
        except Exception as error:  # of any store
            raise self._unusable(error) from None
        return None if data is None else parse_entry(data, self._inputs)

    def has_next(self) -> bool:
        """Return whether there is a later record than the current one."""
        self._number += 1
        try:
            return self._read(self._file) is not None
        finally:
            self._number -= 1

    def go_on(self) -> None:
        """Make the next record the current one, which may not exist yet."""
        self._number += 1
        self._token, self._found = "", None

    def begin(self, entry: dict[str, Any]) -> bool:
        """Create the current record, and return False if it is there.

        A store that creates a file a second time is no ledger: two tasks could both submit. So the file is
        created twice, unless the store has refused one before.

        :raises UsageError: the ledger cannot be used.
        :raises UnavailableError: the ledger cannot be written now.
        """
        self._token = uuid.uuid4().hex
        problem = self._create({**entry, "token": self._token})
        if problem is not None:
            # A client that repeats a request after a lost answer is refused by its own file.
            self._found = self._read(self._file)
            if self._found is None:
                raise self._unusable(problem)
            self._has_refused = True
            if self._token_of(self._found) != self._token:
                self._token = ""
                return False
        if self._has_refused:
            return True
        second = uuid.uuid4().hex
        problem = self._create({**entry, "token": second})
        is_refused = isinstance(problem, FileExistsError)
        if is_refused or (problem and self._token_of(self._read(self._file)) == self._token):
            self._has_refused = True
            return True
        self._token = second
        raise UsageError(
            f"TS328 The ledger {shown_destination(self._folder.address)} is in a store that created one "
            "object twice, so two tasks could both submit. Nothing was sent. Use S3, Google Cloud "
            "Storage, Azure Blob Storage or a folder on a disk."
        )

    def _create(self, entry: dict[str, Any]) -> Exception | None:
        """Create the file of the current record, and return the error if that failed."""
        try:
            self._folder.create(self._file, record_bytes(entry))
        except Exception as error:  # of any store
            return error
        return None

    @staticmethod
    def _token_of(entry: Any) -> Any:
        return entry.get("token") if isinstance(entry, dict) else None

    def write(self, entry: dict[str, Any]) -> None:
        """Replace the current record.

        :raises UnavailableError: the ledger cannot be written, and neither can the spare store.
        """
        entry = {**entry, "token": self._token}
        try:
            self._folder.write(self._file, record_bytes(entry))
        except Exception as error:
            if not self._spare or not entry.get("twinsync_task_id"):
                raise self._unusable(error) from None
            self._spare.write(entry)
            log.warning("%s The job is in Airflow's task state store instead.", self._unusable(error))

    def write_no_job(self, entry: dict[str, Any]) -> None:
        """Record that the submit made no job; the file stays, so that later files keep their place."""
        if self._token:
            found = self._read(self._file)
            if self._token_of(found) == self._token:
                self.write(entry)

    def write_reported(self, entry: dict[str, Any]) -> None:
        """Record the report in a file of its own: the task that submits may still store its job."""
        try:
            report = {"inputs": self._inputs, "token": self._token or self._seen, **_report_of(entry)}
            self._folder.write(self._report_file, record_bytes(report))
        except Exception as error:  # of any store
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> UsageError | UnavailableError:
        if isinstance(error, (UsageError, UnavailableError)):
            return error
        shown = shown_destination(self._folder.address)
        problem = f"{type(error).__name__}: {one_line(str(error))}"
        if isinstance(error, _LASTING) or getattr(error, "errno", None) == errno.EROFS:
            return UsageError(
                f"TS327 ledger {shown} cannot be used ({problem}). Nothing was sent. The task reads and "
                "writes files there; a bucket must exist."
            )
        return UnavailableError(
            f"TS329 The ledger {shown} could not be used, and a record of an earlier submit may be in it "
            f"({problem}). Nothing was sent."
        )


def _report_of(entry: Any) -> dict[str, Any]:
    """Return the fields of an entry that are a report of an uncertain submit."""
    names = ("told_at_max_tries", "names_job")
    return {name: entry[name] for name in names if name in entry} if isinstance(entry, dict) else {}
