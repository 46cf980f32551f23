"""``python -m airflow_provider_twinsync``: commands for a person. None of them needs the access key."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_twinsync._records.ledger_folder import open_folder
from airflow_provider_twinsync._records.ledger_list import (
    delete_files,
    find_name,
    find_records,
    read_file,
    read_rows,
)
from airflow_provider_twinsync._records.ledger_text import cut, decision, details, table
from airflow_provider_twinsync.exceptions import TwinSyncError
from airflow_provider_twinsync.voices import voices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_twinsync._records.ledger_folder import Folder
    from airflow_provider_twinsync.voices import Voice

_LEDGER = """\
List the records of a ledger, show one, or delete one. Nothing is sent to TwinSync. The credentials of an
object store come from the Airflow connection in the address."""

_VOICES = """\
List the voices of Microsoft's lists, with their styles. A terminal gets short lines, a file all styles."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_twinsync", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    ledger = commands.add_parser(
        "ledger", help="the submit records in a ledger", description=_LEDGER, allow_abbrev=False
    )
    ledger.add_argument(
        "path", metavar="PATH", help="a folder, or an address such as s3://aws_default@videos/ledger"
    )
    which = ledger.add_mutually_exclusive_group()
    which.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        help="show all files of this record; the beginning of its name is enough, such as the fingerprint in "
        "the task's XCom twinsync_inputs",
    )
    which.add_argument(
        "--uncertain",
        action="store_true",
        help="list the records that a person has to decide, with the next step",
    )
    which.add_argument(
        "--delete",
        metavar="NAME",
        help="delete all files of this record, after a question; the next task with these inputs pays again",
    )
    known = commands.add_parser("voices", help="the known voices", description=_VOICES, allow_abbrev=False)
    known.add_argument(
        "language", metavar="LANGUAGE", nargs="?", help="a language or a locale: de, German, de-AT"
    )
    known.add_argument("--gender", metavar="GENDER", help="female, male or neutral")
    known.add_argument("--style", metavar="STYLE", help="a style, such as cheerful")
    return parser


def _list_voices(found: list[Voice]) -> int:
    """Print a line for each voice, cut for the terminal."""
    cells = [
        ("NAME", "GENDER", "LANGUAGE", "STYLES"),
        *((voice.name, voice.gender, voice.language, ", ".join(voice.styles)) for voice in found),
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    if sys.stdout.isatty():
        columns = shutil.get_terminal_size().columns - widths[0] - widths[1] - 6
        widths[2] = min(widths[2], max(8, min(columns - 8, columns * 2 // 3)))
        widths[3] = min(widths[3], max(8, columns - widths[2]))
    for line in cells if found else []:
        fitted = (cut(cell, width).ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(fitted).rstrip())
    sys.stdout.flush()
    print(f"{len(found)} voice{'' if len(found) == 1 else 's'}", file=sys.stderr)
    return 0 if found else 1


def _list(folder: Folder, *, uncertain_only: bool) -> int:
    rows = read_rows(folder, find_records(folder), _now())
    to_decide = [row for row in rows if row.state.needs_person]
    if uncertain_only:
        print("\n\n".join("\n".join(decision(row)) for row in to_decide), end="\n" if to_decide else "")
    elif rows:
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print("\n".join(table(rows, columns)))
    count = f"{len(rows)} record{'' if len(rows) == 1 else 's'}, {len(to_decide)} for a person to decide"
    print(count + ("." if uncertain_only or not to_decide else ": see --uncertain."), file=sys.stderr)
    return 0


def _show(folder: Folder, given: str, *, delete: bool) -> int:
    records = find_records(folder)
    name = find_name(folder, records, given)
    files = records[name]
    contents = {file: read_file(folder, file) for file in files}
    for row in read_rows(folder, {name: files}, _now()):
        print("\n".join(details(row, contents)))
    if not delete:
        return 0
    print("\nThe next task with these inputs submits, and pays.")
    if not _is_confirmed(name):
        print("Nothing was deleted.")
        return 1
    if find_records(folder).get(name) != files or any(
        str(read_file(folder, file)) != str(data) for file, data in contents.items()
    ):
        print("The record has changed meanwhile. Nothing was deleted.")
        return 1
    delete_files(folder, files)
    print(f"Deleted {len(files)} file{'' if len(files) == 1 else 's'}.")
    return 0


def _is_confirmed(name: str) -> bool:
    """Return True if a person at a terminal types the beginning of the name."""
    if not sys.stdin.isatty():
        print("A deletion needs a person at a terminal.")
        return False
    try:
        return (
            input(f"To delete it, type the first 8 characters of its name ({name[:8]}): ").strip() == name[:8]
        )
    except (EOFError, KeyboardInterrupt):
        print()
        return False


def _now() -> datetime:
    return datetime.now(timezone.utc)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status.

    :param arguments: the arguments; by default those of the process.
    """
    args = _parser().parse_args(arguments)
    try:
        if args.command == "voices":
            return _list_voices(voices(args.language, args.gender, args.style))
        address = args.path
        if address.strip() and ":" not in address:
            address = str(Path.cwd() / address)
        folder = open_folder(address)
        if args.name is not None:
            return _show(folder, args.name, delete=False)
        if args.delete is not None:
            return _show(folder, args.delete, delete=True)
        return _list(folder, uncertain_only=args.uncertain)
    except TwinSyncError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # as of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
