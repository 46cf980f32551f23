"""The operator that plans the videos of a sheet, before any of them is paid for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, conf

from airflow_provider_twinsync._airflow.text_fields import TextFields
from airflow_provider_twinsync._api.shown import bare_address, one_line, shown_destination, shown_text
from airflow_provider_twinsync.exceptions import TwinSyncError, UsageError, airflow_errors
from airflow_provider_twinsync.hooks import DEFAULT_CONN_ID, TwinSyncHook
from airflow_provider_twinsync.links import push_xcom

if TYPE_CHECKING:
    import os

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath, XComArg

    from airflow_provider_twinsync._content.sheet.page import PlanPage
    from airflow_provider_twinsync._content.sheet.plan import Plan, PlannedRow, RowError
    from airflow_provider_twinsync._content.sheet.reader import Sheet

#: The values of the run that a default may use, besides ``params``.
_RUN_VALUES = ("ds", "ds_nodash", "ts", "ts_nodash", "run_id")
_MOST_SHOWN = 50


class TwinSyncPlanOperator(TextFields, BaseOperator):
    """Plan the videos of a sheet, and pay nothing: check all rows, and compare them with the ledger.

    The XCom ``return_value`` has the rows to make, as arguments of ``TwinSyncVideoOperator``. The XCom
    ``plan`` is the address of ``plan.json``, and the XCom ``counts`` has the numbers of rows. For example::

        plan = TwinSyncPlanOperator(
            task_id="plan",
            source="s3://aws_default@videos/news.xlsx",
            defaults={
                "text": "Good morning {{ row.name }}!",
                "image_url": "s3://aws_default@photos/anna.jpg",
                "pronouncer": "en-US-JennyNeural",
                "destination": "s3://aws_default@videos/{{ ds }}/{{ row.id }}.mp4",
            },
            ledger="s3://aws_default@videos/ledger",
        )
        make = TwinSyncVideoOperator.partial(task_id="make").expand_kwargs(plan.output)

    The columns of the sheet are ``id`` and arguments of ``TwinSyncVideoOperator``: ``text``, ``image_url``,
    ``pronouncer``, ``destination``, ``twinsync_conn_id``, ``captions``, ``poster`` and ``check``. If any row
    has an error, the task fails with all errors at once, and nothing is made.

    With a ledger each row is new, unchanged or to retry. The rows to make have ``ledger`` and
    ``reuse="runs"``, so that the next run finds their videos. Without a ledger all rows are new.

    :param source: the sheet (templated): the path or the object-store address of a file of the kind csv, tsv,
        JSON, JSON lines, xlsx or ods, with up to 10,000 rows; or a list of ``dict``, also of an upstream
        task. Airflow does not render the texts of a list.
    :param defaults: the values of missing columns and empty cells, by argument (default none). A text may be
        a template over the row, ``{{ row.name }}``, and over ``ds``, ``ds_nodash``, ``ts``, ``ts_nodash``,
        ``run_id`` and ``params``. Airflow does not render them.
    :param max_jobs: the most jobs that the plan may pay for (``int``, default 200). With more the task fails.
    :param ledger: the folder of the records (templated; by default that of the connection, if it has one).
    :param price_per_job: the price of a job, in any currency, for the cost on the page (``float``, default
        None: no cost).
    :param report_destination: the folder of ``plan.html`` and ``plan.json`` (templated). By default they are
        beside the source, as ``NAME.plan.html`` and ``NAME.plan.json``. A list then has no page, and its XCom
        ``plan`` is an empty text.
    :param twinsync_conn_id: the connection (``str``, templated) of rows without one of their own.
    :raises ValueError: an argument has the wrong type, or ``defaults`` has an unknown name.
    """

    template_fields: Sequence[str] = ("source", "ledger", "report_destination", "twinsync_conn_id")
    template_ext = ()
    list_fields = ("source",)
    ui_color = "#e2ecd6"

    def __init__(
        self,
        *,
        source: str | os.PathLike[str] | ObjectStoragePath | Sequence[Mapping[str, Any]] | XComArg,
        defaults: Mapping[str, Any] | None = None,
        max_jobs: int = 200,
        ledger: str | os.PathLike[str] | ObjectStoragePath | None = None,
        price_per_job: float | None = None,
        report_destination: str | os.PathLike[str] | ObjectStoragePath | None = None,
        twinsync_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(max_jobs, int) or isinstance(max_jobs, bool) or max_jobs < 0:
            raise UsageError(f"TS176 max_jobs is {shown_text(max_jobs)}: it should be a number of jobs.")
        if price_per_job is not None and not _is_price(price_per_job):
            raise UsageError(f"TS176 price_per_job is {shown_text(price_per_job)}: it should be a number.")
        if not isinstance(defaults, (Mapping, type(None))):
            raise UsageError(f"TS176 defaults is {shown_text(defaults)}: it should be a dict.")
        self.source: Any = source
        self.defaults = dict(defaults or {})
        self.max_jobs = max_jobs
        self.ledger: Any = ledger
        self.price_per_job = price_per_job
        self.report_destination: Any = report_destination
        self.twinsync_conn_id = twinsync_conn_id
        self.check_given()

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Plan, write the page, and return the rows to make."""
        with airflow_errors():
            return self._execute(context)

    def _execute(self, context: Context) -> list[dict[str, Any]]:
        # Here, as a DAG file that is parsed plans nothing.
        from airflow_provider_twinsync._content.sheet.page import PlanPage
        from airflow_provider_twinsync._content.sheet.plan import check_defaults, draft_plan

        self.check_rendered()
        if problem := check_defaults(self.defaults):
            raise UsageError(f"TS176 defaults: {problem}")
        sheet = self._read()
        plan = draft_plan(sheet, self.defaults, _run_values(context))
        self._compare(plan)
        for index, row in enumerate(plan.to_make):
            row.map_index = index
        made_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        error = self._refusal(plan, sheet)
        problem = str(error).partition("\n")[0] if error else ""
        page = PlanPage(plan, self._shown_source, made_at, self.price_per_job, problem)
        push_xcom(context, "plan", self._write(page))  # also an empty one, or a report would fail
        push_xcom(context, "counts", plan.counts)
        for note in plan.notes:
            self.log.warning("%s", note)
        self.log.info("%s", page.summary())
        if error:
            raise error
        return [{"row_id": row.row_id, **row.arguments} for row in plan.to_make]

    @property
    def _is_file(self) -> bool:
        return (
            isinstance(self.source, str) or hasattr(self.source, "__fspath__") or hasattr(self.source, "sign")
        )

    @property
    def _shown_source(self) -> str:
        return one_line(bare_address(str(self.source))) if self._is_file else "the list of rows"

    def _read(self) -> Sheet:
        from airflow_provider_twinsync._content.files import read_file
        from airflow_provider_twinsync._content.sheet.limits import MAX_BYTES
        from airflow_provider_twinsync._content.sheet.reader import read_records, read_sheet

        if self._is_file:
            if not str(self.source).strip():
                raise UsageError("TS160 source is empty: it should be the path or the address of a sheet.")
            data = read_file(self.source, MAX_BYTES, "TS160 source")
            return read_sheet(data, f"The sheet {shown_destination(str(self.source))}")
        rows = self.source
        if hasattr(rows, "__getitem__") and not isinstance(rows, Mapping):
            rows = list(rows)  # also the outputs of a mapped task, which Airflow loads one by one
        return read_records(rows, "source")

    def _compare(self, plan: Plan) -> None:
        """Check all rows, and compare those without an error with their ledger."""
        from airflow_provider_twinsync._content.sheet.row_checks import RowChecks
        from airflow_provider_twinsync.operators.plan_ledger import compare

        own = TwinSyncHook(self.twinsync_conn_id)
        own.settings()
        hooks: dict[str, TwinSyncHook | UsageError] = {self.twinsync_conn_id: own}

        def hook_of(conn_id: str) -> TwinSyncHook:
            if conn_id not in hooks:
                hooks[conn_id] = _hook_of_cell(conn_id)
            if isinstance(found := hooks[conn_id], UsageError):
                raise found
            return found

        for row in plan.rows:
            row.arguments.setdefault("twinsync_conn_id", self.twinsync_conn_id)
        checks = RowChecks(lambda conn_id: hook_of(conn_id).settings())
        checks.check(plan.rows)
        by_conn: dict[str, list[PlannedRow]] = {}
        for row in plan.rows:
            if not row.errors:
                by_conn.setdefault(row.arguments["twinsync_conn_id"], []).append(row)
        for conn_id, rows in by_conn.items():
            hook = hook_of(conn_id)
            ledger = hook.settings().ledger if self.ledger is None else self.ledger
            compare(rows, ledger, hook.settings(), checks.places, hook.get_job)
            if ledger is not None:
                for row in rows:
                    row.arguments |= {"ledger": str(ledger), "reuse": "runs"}
        good = [row for rows in by_conn.values() for row in rows]
        if good and not any("ledger" in row.arguments for row in good):
            plan.notes.append(
                "TS181 There is no ledger, so every row is new, and each run pays for all rows again. Give "
                "the task a ledger, such as 's3://aws_default@videos/ledger'."
            )

    def _refusal(self, plan: Plan, sheet: Sheet) -> UsageError | None:
        """Return the error of a plan that may not run, or None."""
        errors = [("the sheet", error) for error in plan.errors]
        errors += [(sheet.place(row.number, one.column), one) for row in plan.rows for one in row.errors]
        if errors:
            lines = [_line(place, error) for place, error in errors[:_MOST_SHOWN]]
            more = f"\nand {len(errors) - _MOST_SHOWN} more" if len(errors) > _MOST_SHOWN else ""
            count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
            summary = f"TS172 Nothing is made, and nothing was paid: {self._shown_source} has {count}.\n"
            return UsageError(summary + "\n".join(lines) + more)
        jobs, rows = plan.counts["jobs"], len(plan.to_make)
        if jobs > self.max_jobs:
            return UsageError(
                f"TS173 The plan has {jobs} jobs to pay for, and max_jobs is {self.max_jobs}. Nothing was "
                f"paid. If all of them are meant, set max_jobs={jobs}."
            )
        limit = conf.getint("core", "max_map_length", fallback=1_024)
        if rows > limit:
            return UsageError(
                f"TS174 The plan has {rows} rows to make, and Airflow maps a task over at most {limit}. "
                f"Nothing was paid. Raise [core] max_map_length to {rows}, or split the sheet."
            )
        return None

    def _write(self, page: PlanPage) -> str:
        """Write the page and the JSON, and return the address of the JSON, or an empty text.

        :raises UsageError: they cannot be written to the ``report_destination``.
        """
        from airflow_provider_twinsync._content.files import write_file

        stem, given = self._stem()
        if not stem:
            self.log.info("The plan of a list has no page without a report_destination.")
            return ""
        for ending, data in (("html", page.html()), ("json", page.json())):
            address = f"{stem}.{ending}"
            try:
                write_file(address, data)
            except Exception as error:  # of any disk or store
                message = (
                    f"TS175 The plan could not be written to {shown_destination(address)} "
                    f"({type(error).__name__}: {one_line(str(error))}). Nothing was paid."
                )
                if given:
                    raise UsageError(message) from None
                self.log.warning("%s", message)
                return ""
        self.log.info("The plan is at %s.", shown_destination(f"{stem}.html"))
        return f"{stem}.json"

    def _stem(self) -> tuple[str, bool]:
        """Return the address of the page without its ending, and whether the author chose its folder."""
        if self.report_destination is not None:
            return f"{str(self.report_destination).strip().rstrip('/')}/plan", True
        if not self._is_file:
            return "", False
        folder, slash, name = str(self.source).strip().rpartition("/")
        return f"{folder}{slash}{name.rpartition('.')[0] or name}.plan", False


def _is_price(price: Any) -> bool:
    is_number = isinstance(price, (int, float)) and not isinstance(price, bool)
    return is_number and math.isfinite(price) and price >= 0


def _line(place: str, error: RowError) -> str:
    column = f" ({error.column})" if error.column else ""
    return f"{place}{column}: {error.code} {error.message}"


def _run_values(context: Context) -> dict[str, Any]:
    """Return the values that a default may use; a run without a logical date has no ``ds``."""
    values: dict[str, Any] = {}
    for name in _RUN_VALUES:
        if (value := context.get(name)) is not None:
            values[name] = value
    params: Any = context.get("params") or {}
    values["params"] = {name: params[name] for name in params}
    return values


def _hook_of_cell(conn_id: str) -> TwinSyncHook | UsageError:
    """Return the hook of a connection that a cell names, or the error of a wrong one.

    A cell is a text of strangers, and the password of another connection is no access key.
    """
    with suppress(Exception):  # the hook has the reason
        if BaseHook.get_connection(conn_id).conn_type != TwinSyncHook.conn_type:
            return UsageError(
                f"TS182 twinsync_conn_id {shown_text(conn_id)} is of another type than TwinSync."
            )
    hook = TwinSyncHook(conn_id)
    try:
        hook.settings()
    except TwinSyncError as error:
        return UsageError(str(error))
    return hook
