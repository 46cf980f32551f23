"""The operator that writes a report of many videos."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypedDict

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._airflow.text_fields import TextFields
from airflow_provider_twinsync._api.shown import one_line, shown_destination, shown_text
from airflow_provider_twinsync._api.unrendered import refuse_unrendered
from airflow_provider_twinsync._api.validation import check_constants
from airflow_provider_twinsync._content.extra import needs_content
from airflow_provider_twinsync._content.report.rows import (
    WITH_VIDEO,
    checked_plan,
    checked_videos,
    counts_of,
    headline,
    rows_of,
)
from airflow_provider_twinsync.exceptions import TwinSyncError, UsageError, airflow_errors
from airflow_provider_twinsync.links import push_xcom, task_url

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath, XComArg

    from airflow_provider_twinsync._content.report.rows import Row


#: The XCom that a task pushes before it fails, if the check rejected its video.
REJECTED_KEY = "rejected"
_PLAN_BYTES = 64_000_000
_POSTER_BYTES = 20_000_000
#: The most posters of one page, which then has 10 MB.
_MAX_POSTERS = 1_000
_NAMED_ROWS = 10


class Report(TypedDict):
    """The result of :class:`~airflow_provider_twinsync.operators.TwinSyncReportOperator`.

    ``path`` is the absolute path or the address of the page, ``videos`` the number of rows that have a video,
    ``missing`` of those that have none, and ``unchanged`` of those that have the video of an earlier run.
    """

    path: str
    videos: int
    missing: int
    unchanged: int


class TwinSyncReportOperator(TextFields, BaseOperator):
    """Write a page about the videos of a run: poster, link, text, voice, length, checks and state of each.

    The XCom ``return_value`` is ``{"path", "videos", "missing", "unchanged"}``: the path or address of the
    page, and the number of rows that have a video, that have none, and that have the video of an earlier run.
    The XCom ``path`` is the path alone. A task that fails because videos are missing has both XComs too. For
    example::

        make = TwinSyncVideoOperator.partial(task_id="make").expand_kwargs(plan.output)
        TwinSyncReportOperator(
            task_id="report",
            videos=make.output,
            plan=plan.output["plan"],
            destination="s3://aws_default@videos/reports/{{ ds }}.html",
        )

    The page is one HTML file without a script. It embeds small posters (extra ``content``), and links to a
    video on the same disk or in the same bucket by a relative address.

    With a plan the page has each row of the sheet, and the task fails (``TS605``, no retry) after it has
    written the page, if a row has no video. Without a plan the page has the videos of the run, and those that
    the check rejected.

    :param videos: the results of a ``TwinSyncVideoOperator`` or a ``TwinSyncDownloadOperator``, usually
        ``make.output`` (templated).
    :param destination: the page: a local path, whose folders are created, or any address that
        ``ObjectStoragePath`` understands, ending in ``.html`` (templated).
    :param plan: the address of the plan, which ``TwinSyncPlanOperator`` pushes: ``plan.output["plan"]``
        (``str``, templated; by default, and if it is empty, there is none).
    :param trigger_rule: when the task runs (``str``, default ``"all_done"``: also after a failure).
    :raises ValueError: ``destination`` is not a template and is never valid, or an argument is a task
        instead of its output.
    """

    template_fields: Sequence[str] = ("videos", "destination", "plan")
    call_fields = ("videos", "plan")
    ui_color = "#dfe8d3"

    def __init__(
        self,
        *,
        videos: Any,
        destination: str | os.PathLike[str] | ObjectStoragePath | XComArg,
        plan: str | os.PathLike[str] | ObjectStoragePath | XComArg | None = None,
        trigger_rule: str = "all_done",
        **kwargs: Any,
    ) -> None:
        super().__init__(trigger_rule=trigger_rule, **kwargs)
        if not internals.is_unmapped(self):
            check_constants(destination=destination)
        for name, value in {"videos": videos, "plan": plan}.items():
            if hasattr(value, "task_id") and hasattr(value, "output"):
                raise UsageError(
                    f"TS117 {name} is the task {value.task_id!r} itself: it should be the value that the "
                    "task returns. Put .output behind the task."
                )
        self.videos: Any = videos
        self.destination: Any = destination
        self.plan: Any = plan
        self.check_given()
        #: The tasks that make the videos: those that failed have pushed no result.
        self.video_task_ids = list(_tasks_of(videos))

    def execute(self, context: Context) -> Report:
        """Write the page, and fail if a video is missing."""
        with airflow_errors():
            self.check_rendered()
            plan = self._read_plan() if self.plan else None
            ti: Any = context["ti"]
            rows = rows_of(
                checked_videos(internals.read_output(self.videos)),
                self._rejected(ti),
                plan,
                partial(task_url, ti),
                next(iter(self.video_task_ids), ""),
            )
            path = self._write(ti, rows, plan)
            push_xcom(context, "path", path)
            counts = counts_of(rows)
            self.log.info("%s The report is at %s.", headline(counts), path)
            missing = [row.name for row in rows if row.state not in WITH_VIDEO]
            report = Report(
                path=path,
                videos=len(rows) - len(missing),
                missing=len(missing),
                unchanged=counts["unchanged"],
            )
            if missing:
                push_xcom(context, "return_value", report)  # a task that fails returns nothing
                names = ", ".join(shown_text(name, 40) for name in missing[:_NAMED_ROWS])
                more = f" and {len(missing) - _NAMED_ROWS:,} more" if len(missing) > _NAMED_ROWS else ""
                raise TwinSyncError(
                    f"TS605 {headline(counts)} Missing: {names}{more}. The report is at "
                    f"{shown_destination(path)}."
                )
            return report

    def _read_plan(self) -> dict[str, Any]:
        refuse_unrendered("plan", self.plan)
        is_path = isinstance(self.plan, (str, PurePath)) or hasattr(self.plan, "sign")
        shown = shown_destination(str(self.plan)) if is_path else f"a {type(self.plan).__name__}"
        content = None
        if is_path:
            from airflow_provider_twinsync._content.files import read_file

            data = read_file(self.plan, _PLAN_BYTES, "TS150 plan")
            with suppress(ValueError, RecursionError):  # it is no JSON, and so no plan
                content = json.loads(data)
        return checked_plan(content, shown)

    def _rejected(self, ti: Any) -> Iterator[dict[str, Any]]:
        """Yield the XCom of each video that failed its check."""
        for task_id in self.video_task_ids:
            found = ti.xcom_pull(task_ids=task_id, key=REJECTED_KEY)
            for one in [found] if isinstance(found, dict) else found or ():
                if isinstance(one, dict):
                    yield {"task_id": task_id, **one}

    def _write(self, ti: Any, rows: list[Row], plan: dict[str, Any] | None) -> str:
        # Here, as a DAG file that is parsed writes nothing.
        from airflow_provider_twinsync._content.files import write_file
        from airflow_provider_twinsync._content.report.page import page_of
        from airflow_provider_twinsync._download.destination import find_place

        source = str(plan.get("source") or "") if plan else ""
        place = find_place(self.destination)
        page = page_of(
            rows,
            self._posters(rows),
            report=place.address,
            title=f"Videos of {PurePath(source).name or ti.dag_id}",
            facts={
                "DAG": ti.dag_id,
                "Run": ti.run_id,
                "Written": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            },
            run_url=task_url(ti, ti.task_id, -1 if ti.map_index is None else ti.map_index),
        )
        return write_file(self.destination, page.encode())

    def _posters(self, rows: list[Row]) -> dict[int, bytes]:
        """Return a small copy of each poster, by the position of the row. The log names an unreadable one."""
        wanted = [(number, row.poster) for number, row in enumerate(rows) if row.poster][:_MAX_POSTERS]
        if not wanted:
            return {}
        try:
            from airflow_provider_twinsync._content.files import read_file
            from airflow_provider_twinsync._content.report.thumbnail import thumbnail
        except ImportError:
            self.log.warning("%s", needs_content("A poster in a report"))
            return {}
        found: dict[int, bytes] = {}
        problems: list[str] = []
        for number, poster in wanted:
            try:
                found[number] = thumbnail(read_file(poster, _POSTER_BYTES, "TS607 poster"))
            except TwinSyncError as error:
                problems.append(str(error).partition(" ")[2])
            except Exception as error:  # of a file that is no picture
                problems.append(f"{shown_destination(poster)}: {one_line(str(error))}")
        if problems:
            self.log.warning("TS607 %d posters could not be read, for example %s", len(problems), problems[0])
        return found


def _tasks_of(videos: Any) -> Iterator[str]:
    """Yield the id of each task that returns some of the videos."""
    for output in videos if isinstance(videos, (list, tuple)) else [videos]:
        if hasattr(output, "iter_references"):
            yield from (task.task_id for task, _ in output.iter_references())
