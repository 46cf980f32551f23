"""Count the jobs of a day in a ledger: each job has a file, of as many names as the day has jobs.

A count in one file could not hold for two tasks at once. A file that exists cannot be created again, so there
are never more jobs than names. For example, a day of 100 jobs has the names ``1.json`` to ``100.json``.
"""

from __future__ import annotations

import json
import logging
import random
import uuid
from typing import TYPE_CHECKING

from airflow_provider_twinsync._api.shown import one_line, shown_destination
from airflow_provider_twinsync._storage.addresses import LASTING_ERRORS
from airflow_provider_twinsync.exceptions import UnavailableError, UsageError

if TYPE_CHECKING:
    from airflow_provider_twinsync._records.ledger_folder import Folder

log = logging.getLogger(__name__)


def take_slot(folder: Folder, limit: int) -> str | None:
    """Create the file of one more job, and return its name, or None if the day has as many as it may have.

    :param folder: the folder of the day.
    :param limit: the most jobs of the day.
    :raises UsageError: the folder cannot be used.
    :raises UnavailableError: the folder cannot be used now.
    """
    try:
        taken = set(folder.names())
    except FileNotFoundError:
        taken = set()
    except Exception as error:  # of any store
        raise _not_counted(folder, error) from None
    if len(taken) >= limit:
        return None
    free = [name for name in (f"{number}.json" for number in range(1, limit + 1)) if name not in taken]
    # Not the first one: a thousand tasks at once would all try it, and then all the second.
    random.shuffle(free)
    data = json.dumps({"token": uuid.uuid4().hex}).encode()
    for name in free:
        try:
            folder.create(name, data)
            return name
        except FileExistsError:
            continue
        except Exception as error:  # of any store: another task may have it, or this one
            if _content(folder, name) == data:
                return name
            if _content(folder, name) is None:
                raise _not_counted(folder, error) from None
    return None


def give_slot_back(folder: Folder, name: str) -> None:
    """Delete the file of a job that was not made. A failure is only logged: the day has one job less."""
    try:
        folder.delete(name)
    except Exception as error:  # of any store
        problem = one_line(f"{type(error).__name__}: {error}")
        log.warning(
            "TS543 Could not take a job that was not made off the count of its day, %s/%s (%s).",
            shown_destination(folder.address),
            name,
            problem,
        )


def _content(folder: Folder, name: str) -> bytes | None:
    try:
        return folder.read(name)
    except Exception:  # of any store
        return None


def _not_counted(folder: Folder, error: Exception) -> UsageError | UnavailableError:
    kind = UsageError if isinstance(error, LASTING_ERRORS) else UnavailableError
    return kind(
        f"TS542 The jobs of the day cannot be counted in {shown_destination(folder.address)} "
        f"({one_line(f'{type(error).__name__}: {error}')}), and max_jobs_per_day bounds them. Nothing was "
        "sent."
    )
