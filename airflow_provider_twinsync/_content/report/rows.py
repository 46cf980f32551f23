"""The rows of a report: the plan of a sheet, and the videos that a run made of it. Pure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite
from posixpath import basename
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    #: A function of a task's id and a map index that returns the address of the instance in the web UI.
    TaskUrl = Callable[[str, int], str | None]

#: The states of a row, in the order of the page: rows without a video come first.
STATES = ("rejected", "missing", "refused", "made", "unchanged")
#: The states of a row that has a video.
WITH_VIDEO = ("made", "unchanged")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the report.

    :param name: the id of the row; of a video without an id the name of its file.
    :param state: ``made`` (by this run), ``unchanged`` (made by an earlier run), ``rejected`` (by the check),
        ``refused`` (by the plan), or ``missing``.
    :param video: the path or the address of the video; of a rejected row that of the kept file.
    :param poster: the path or the address of a JPEG.
    :param captions: the path or the address of each kind, such as ``srt``.
    :param expected_s: the length that the plan expects, in seconds.
    :param checks: the numbers of the check.
    :param problems: the reasons why the row has no video.
    :param task_url: the address of the task in Airflow's web UI.
    """

    name: str
    state: str
    text: str = ""
    words: int | None = None
    pronouncer: str = ""
    video: str | None = None
    poster: str | None = None
    captions: Mapping[str, str] = field(default_factory=dict)
    duration_s: float | None = None
    expected_s: float | None = None
    checks: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    task_url: str | None = None


def checked_plan(plan: Any, shown: str) -> dict[str, Any]:
    """Return a plan unchanged.

    >>> checked_plan({"version": 1, "rows": []}, "plan.json")["rows"]
    []

    :param plan: the content of its JSON.
    :param shown: its address, for the message.
    :raises UsageError: this is no plan of version 1.
    """
    rows = plan.get("rows") if isinstance(plan, dict) and plan.get("version") == 1 else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(
            f"TS150 plan {shown} is no plan of version 1: give the XCom `plan` of a TwinSyncPlanOperator, as "
            'plan.output["plan"].'
        )
    return dict(plan)


def checked_videos(videos: Any) -> list[dict[str, Any]]:
    """Return the results of tasks as a list, without those of tasks that returned nothing.

    >>> checked_videos({"path": "/videos/a.mp4"}), checked_videos([None])
    ([{'path': '/videos/a.mp4'}], [])

    :raises UsageError: a result is no video.
    """
    if videos is None or isinstance(videos, dict):
        videos = [videos]
    found = [
        video for video in (videos if isinstance(videos, (list, tuple)) else [videos]) if video is not None
    ]
    for video in found:
        if not isinstance(video, dict) or not isinstance(video.get("path"), str):
            raise UsageError(
                f"TS151 videos has {type(video).__name__}, which is no result of a TwinSyncVideoOperator or "
                "a TwinSyncDownloadOperator: give the output of the task that makes the videos, such as "
                "make.output."
            )
    return found


def rows_of(
    videos: Iterable[Mapping[str, Any]],
    rejected: Iterable[Mapping[str, Any]],
    plan: Mapping[str, Any] | None,
    task_url: TaskUrl,
    task_id: str = "",
) -> list[Row]:
    """Return the rows of a report, those without a video first.

    >>> rows_of([{"path": "/videos/a.mp4"}], [], None, lambda *_: None)[0].name
    'a.mp4'

    :param videos: the results of the tasks that made a video.
    :param rejected: the XComs ``rejected`` of the tasks whose video failed its check.
    :param plan: the plan; None for the rows of the videos alone.
    :param task_url: returns the address of a task instance.
    :param task_id: the task of a video without a ``task_id`` (default none).
    """
    own_rows: dict[str, Row] = {}
    # A video that passed is later than one that did not.
    for read, ones in ((_of_rejected, rejected), (_of_video, videos)):
        for one in ones:
            # Videos without an id may have files of one name. No id has a slash.
            key = _text(one.get("row_id")) or _text(one.get("path")) or f"/{len(own_rows)}"
            own_rows[key] = read(one, task_url, task_id)
    if plan is not None:
        for planned in plan["rows"]:
            row = _of_plan(planned, task_url, task_id)
            # A plan with an error makes no video, and its error may be an id that two rows have.
            key = f"/{len(own_rows)}" if row.state == "refused" else row.name
            own = own_rows.get(key)
            own_rows[key] = row if own is None else _merged(row, own)
    return sorted(own_rows.values(), key=lambda row: STATES.index(row.state))


def counts_of(rows: Sequence[Row]) -> dict[str, int]:
    """Return the number of rows in each state, by the states of :data:`STATES`."""
    return {state: sum(row.state == state for row in rows) for state in STATES}


def headline(counts: Mapping[str, int]) -> str:
    """Return the sentence that begins the page and ends the log.

    >>> headline({"rejected": 0, "missing": 0, "refused": 0, "made": 0, "unchanged": 500})
    'Nothing new: 500 rows unchanged, nothing was paid.'
    >>> headline({"rejected": 1, "missing": 2, "refused": 0, "made": 5, "unchanged": 492})
    '3 of 500 videos are missing. New: 5. Unchanged: 492.'
    """
    total = sum(counts.values())
    missing = total - sum(counts[state] for state in WITH_VIDEO)
    if not total:
        return "There are no videos."
    if counts["unchanged"] == total:
        return f"Nothing new: {_number(total, 'row')} unchanged, nothing was paid."
    new = f"New: {counts['made']:,}. Unchanged: {counts['unchanged']:,}."
    if missing:
        return f"{missing:,} of {_number(total, 'video')} {'is' if missing == 1 else 'are'} missing. {new}"
    return f"All {_number(total, 'video')} are there. {new}" if total > 1 else f"The video is there. {new}"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _of_video(video: Mapping[str, Any], task_url: TaskUrl, task_id: str) -> Row:
    return Row(
        name=_text(video.get("row_id")) or basename(video["path"]),
        state="made",
        video=video["path"],
        **_common(video, task_url, task_id),
    )


def _of_rejected(one: Mapping[str, Any], task_url: TaskUrl, task_id: str) -> Row:
    common = _common(one, task_url, task_id)
    path = _text(one.get("path")) or None
    return Row(
        name=_text(one.get("row_id")) or basename(path or "") or "a video without an id",
        state="rejected",
        video=path,
        **{**common, "problems": (_text(one.get("message")),)},
    )


def _of_plan(planned: Mapping[str, Any], task_url: TaskUrl, task_id: str) -> Row:
    stored = _mapping(planned.get("stored"))
    state = {"unchanged": "unchanged", "refused": "refused"}.get(_text(planned.get("state")), "missing")
    errors = planned.get("errors")
    common = _common({**planned, **(stored if state == "unchanged" else {})}, task_url, task_id)
    problems = [
        _text(error.get("message"))
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, dict)
    ]
    return Row(
        name=_text(planned.get("row_id")) or f"row {_text(planned.get('number'))}",
        state=state,
        video=(_text(stored.get("path")) or None) if state == "unchanged" else None,
        **{**common, "problems": tuple(problems)},
    )


def _common(one: Mapping[str, Any], task_url: TaskUrl, task_id: str) -> dict[str, Any]:
    """Return the fields that a video, a rejected video and a row of a plan have in common."""
    index, own_task = one.get("map_index"), _text(one.get("task_id")) or task_id
    url = _text(one.get("task_url"))
    if not url and own_task and isinstance(index, int):
        url = task_url(own_task, index) or ""
    captions = _mapping(one.get("captions"))
    words = _number_of(one.get("words", one.get("text_words")))
    return {
        "text": _text(one.get("text")),
        "words": None
        if (words := _number_of(one.get("words", one.get("text_words")))) is None
        else int(words),
        "pronouncer": _text(one.get("pronouncer")),
        "poster": _text(one.get("poster")) or None,
        "captions": {_text(kind): path for kind, path in captions.items() if isinstance(path, str)},
        "duration_s": _number_of(one.get("duration_s")),
        "expected_s": _number_of(one.get("expected_s")),
        "checks": {
            _text(name): number
            for name, value in _mapping(one.get("checks")).items()
            if (number := _number_of(value)) is not None
        },
        "task_url": url or None,
    }


def _merged(planned: Row, own: Row) -> Row:
    """Return the row of a video, with the fields that only the plan has."""
    fields = {name: getattr(own, name) or getattr(planned, name) for name in Row.__slots__}
    return Row(**{**fields, "problems": own.problems})


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    try:
        return "" if value is None else str(value)
    except (ValueError, RecursionError):  # a number of 5,000 digits, or lists in lists
        return ""


def _number_of(value: Any) -> float | None:
    """Return a number, or None for another value, and for a number that no float has."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    with suppress(OverflowError):
        number = float(value)
        return number if isfinite(number) else None
    return None
