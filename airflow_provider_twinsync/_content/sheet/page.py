"""Write a plan as JSON for programs, and as a page for a person. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import bare_address
from airflow_provider_twinsync._content.page_text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_twinsync._content.sheet.plan import Plan, PlannedRow

_STATES = {"refused": "refused", "retry": "to retry", "new": "new", "unchanged": "unchanged"}


@dataclass(frozen=True, slots=True)
class PlanPage:
    """A plan with all that its page shows.

    :param plan: the plan.
    :param source: the address of the sheet, for a person.
    :param made_at: the time of the plan, as an ISO 8601 text.
    :param price_per_job: the price of a job, or None.
    :param problem: the reason why nothing is made, in sentences; empty for a plan that may run.
    """

    plan: Plan
    source: str
    made_at: str
    price_per_job: float | None = None
    problem: str = ""

    @property
    def cost(self) -> float | None:
        """The price of all jobs, or None without a price per job."""
        if self.price_per_job is None:
            return None
        return round(self.price_per_job * self.plan.counts["jobs"], 4)

    def summary(self) -> str:
        """Return the plan in two sentences."""
        counts = self.plan.counts
        cost = f", {self.cost:,.2f} to pay" if self.cost is not None else ""
        return (
            f"{_many(counts['rows'], 'row')}: {counts['new']} new, {counts['unchanged']} unchanged, "
            f"{counts['retry']} to retry, {counts['refused']} refused. To make: "
            f"{_many(counts['jobs'], 'job')} ({_many(counts['words'], 'word')}, about "
            f"{length_text(self.plan.expected_s)} of video{cost})."
        )

    def json(self) -> bytes:
        """Return the plan for programs, as JSON in ASCII. The report of a run reads it."""
        plan = self.plan
        found = {
            "version": 1,
            "source": self.source,
            "made_at": self.made_at,
            "counts": plan.counts,
            "minutes": round(plan.expected_s / 60, 2),
            "cost": self.cost,
            "problem": self.problem,
            "errors": [_error(error) for error in plan.errors],
            "notes": plan.notes,
            "rows": [_row(row) for row in plan.rows],
        }
        return json.dumps(found, ensure_ascii=True, indent=1).encode()

    def html(self) -> bytes:
        """Return the page, as HTML in UTF-8: one file without a script, for a screen of any width."""
        counts = self.plan.counts
        tiles = [
            *((f"{counts[state]:,}", name) for state, name in _STATES.items()),
            (f"{counts['jobs']:,}", "jobs to pay for"),
            (f"{counts['words']:,}", "words"),
            (length_text(self.plan.expected_s), "of video"),
        ]
        if self.cost is not None:
            tiles.append((f"{self.cost:,.2f}", f"to pay ({self.price_per_job:,g} a job)"))
        parts = [
            f"<p class=meta><bdi>{plain(self.source)}</bdi>, planned {plain(self.made_at)}</p>",
            f"<p class=problem role=alert>{plain(self.problem, 600)}</p>" if self.problem else "",
            "<dl class=tiles>",
            *(f"<div><dt>{name}</dt><dd>{number}</dd></div>" for number, name in tiles),
            "</dl>",
            *_notes(self.plan.notes),
            *_errors(self.plan),
            *_rows(self.plan.rows),
        ]
        title = f"Plan: {plain(self.source.rpartition('/')[2])}"
        body = "\n".join(part for part in parts if part)
        page = re.sub("TITLE|BODY", lambda found: title if found[0] == "TITLE" else body, _PAGE)
        return page.encode(errors="replace")


def length_text(seconds: float) -> str:
    """Return the length of videos for a person.

    >>> length_text(45.2), length_text(165), length_text(7_500)
    ('45 s', '2 min 45 s', '2 h 5 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _error(error: Any) -> dict[str, str]:
    return {"code": error.code, "column": error.column, "message": error.message}


def _row(row: PlannedRow) -> dict[str, Any]:
    arguments = row.arguments
    return {
        "row_id": row.row_id,
        "number": row.number,
        "state": row.state,
        "text": arguments.get("text", ""),
        "words": row.words,
        "image_url": row.photo,
        "pronouncer": arguments.get("pronouncer", ""),
        "destination": bare_address(arguments.get("destination", "")),
        "jobs": row.jobs,
        "expected_s": round(row.expected_s, 2),
        "errors": [_error(error) for error in row.errors],
        "map_index": row.map_index,
        "stored": row.stored,
        "note": row.note,
    }


def _notes(notes: list[str]) -> Iterable[str]:
    if notes:
        yield "<ul class=notes>"
        yield from (f"<li>{plain(note, 1_000)}" for note in notes)
        yield "</ul>"


def _errors(plan: Plan) -> Iterable[str]:
    """Yield the errors of the sheet, and then those of the rows."""
    found = [("the sheet", error) for error in plan.errors]
    found += [(f"row {row.number}", error) for row in plan.rows for error in row.errors]
    if not found:
        return
    yield f"<h2>{_many(len(found), 'error')}</h2><table><thead><tr>"
    yield "<th scope=col>where<th scope=col>column<th scope=col>error</tr></thead><tbody>"
    for where, error in found:
        yield (
            f"<tr><th scope=row>{where}<td data-is=column>{plain(error.column, 80)}"
            f"<td data-is=error><bdi>{plain(error.message, 600)}</bdi> <small>{error.code}</small></tr>"
        )
    yield "</tbody></table>"


def _rows(rows: list[PlannedRow]) -> Iterable[str]:
    """Yield all rows, first those that need a person or cost money."""
    if not rows:
        yield "<p>The sheet has no rows."
        return
    order = list(_STATES)
    yield f"<h2>{_many(len(rows), 'row')}</h2><table><thead><tr>"
    yield "".join(
        f"<th scope=col>{name}" for name in ("id", "state", "text", "words", "voice", "photo", "destination")
    )
    yield "</tr></thead><tbody>"
    for row in sorted(rows, key=lambda row: order.index(row.state)):
        arguments = row.arguments
        note = f"<br><small>{plain(row.note, 600)}</small>" if row.note else ""
        yield (
            f"<tr><th scope=row><bdi>{plain(row.row_id)}</bdi>"
            f"<td data-is=state><span class={row.state}>{_STATES[row.state]}</span>"
            f"<td data-is=text dir=auto>{plain(arguments.get('text', ''))}{note}"
            f"<td data-is=words>{row.words:,}"
            f"<td data-is=voice>{plain(arguments.get('pronouncer', ''))}"
            f"<td data-is=photo><bdi>{plain(row.photo)}</bdi>"
            f"<td data-is=destination><bdi>{plain(bare_address(arguments.get('destination', '')))}</bdi></tr>"
        )
    yield "</tbody></table>"


_PAGE = """<!doctype html>
<html lang=en><head><meta charset=utf-8>
<meta name=viewport content="width=device-width,initial-scale=1"><meta name=color-scheme content="light dark">
<meta http-equiv=Content-Security-Policy content="default-src 'none'; style-src 'unsafe-inline'">
<title>TITLE</title><style>
:root{color-scheme:light dark;--ink:#1c2024;--soft:#5b636b;--line:#d9dde2;--paper:#fff;--wash:#f4f6f8;
--red:#a5180d;--green:#15652f;--blue:#0b4f9e;--amber:#7a4b00}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a3abb4;--line:#3a4149;--paper:#16191c;
--wash:#20252a;--red:#ff9a8f;--green:#7fd99a;--blue:#8fc2ff;--amber:#f2c063}}
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;
max-width:84rem;padding:1rem}
h1{font-size:1.5rem;margin:.2rem 0;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}
.meta,small{color:var(--soft)}.meta{margin:.1rem 0 1rem;overflow-wrap:anywhere}
.problem{border-left:4px solid var(--red);background:var(--wash);padding:.6rem .8rem;margin:0 0 1rem;
overflow-wrap:anywhere}
.notes{margin:1rem 0;padding-left:1.2rem;color:var(--soft);overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.5rem,1fr));gap:.5rem;margin:0}
.tiles div{background:var(--wash);border-radius:.4rem;padding:.5rem .7rem;display:flex;
flex-direction:column-reverse}
dd{margin:0;font-size:1.25rem;font-weight:600}dt{color:var(--soft);font-size:.85rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:start;vertical-align:top;padding:.45rem .6rem .45rem 0;border-bottom:1px solid var(--line);
overflow-wrap:anywhere}
thead th{color:var(--soft);font-weight:500;white-space:nowrap}tbody th{font-weight:600;min-width:5rem}
td[data-is=voice],td[data-is=photo],td[data-is=destination]{min-width:8.5rem}
td[data-is=text]{min-width:16rem}td[data-is=state],td[data-is=words],td[data-is=column]{white-space:nowrap}
tbody tr{content-visibility:auto;contain-intrinsic-size:auto 3rem}
.refused{color:var(--red)}.unchanged{color:var(--soft)}.new{color:var(--green)}.retry{color:var(--amber)}
@media(max-width:700px){thead{position:absolute;left:-999rem}table,tbody,tr,th,td{display:block}
tbody tr{border-bottom:1px solid var(--line);padding:.6rem 0;contain-intrinsic-size:auto 11rem}
th,td{border:0;padding:.1rem 0}td[data-is]::before{content:attr(data-is) ": ";color:var(--soft)}
td[data-is]{min-width:0}td[data-is=text]::before,td[data-is=error]::before{content:none}}
</style></head><body><main><h1>TITLE</h1>
BODY
</main></body></html>
"""
