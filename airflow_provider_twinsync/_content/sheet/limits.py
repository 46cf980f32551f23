"""The limits of a sheet, and the errors of a file beyond them. Pure."""

from __future__ import annotations

from airflow_provider_twinsync.exceptions import UsageError

MAX_BYTES = 50_000_000
MAX_ROWS = 10_000
#: The most columns with a cell; the last one is IV, the limit of old Excel.
MAX_COLUMNS = 256


def not_a_sheet(subject: str, problem: str) -> UsageError:
    """Return the error of a file that is no sheet.

    >>> not_a_sheet("news.xlsx", "it has a password").code
    'TS162'

    :param subject: the file, as the subject of a sentence.
    :param problem: the reason, as a part of a sentence.
    """
    return UsageError(f"TS162 {subject} is no sheet that can be read: {problem}.")


def too_many_rows(subject: str) -> UsageError:
    """Return the error of a sheet with too many rows.

    >>> too_many_rows("news.xlsx").code
    'TS163'

    :param subject: the file, as the subject of a sentence.
    """
    return UsageError(f"TS163 {subject} has more than {MAX_ROWS:,} rows: split it over several sheets.")
