"""The page of a report: one HTML file without a script, for a browser, a phone and paper. Pure."""

from __future__ import annotations

import re
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from airflow_provider_twinsync._api.shown import bare_address, one_line, shown_duration
from airflow_provider_twinsync._content.page_text import plain
from airflow_provider_twinsync._content.report.links import link_to, task_link
from airflow_provider_twinsync._content.report.rows import WITH_VIDEO, counts_of, headline
from airflow_provider_twinsync._content.report.style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_twinsync._content.report.rows import Row

#: The sign and the label of each state. The sign is for readers who see no colours.
_LABELS = {
    "rejected": ("✕", "Rejected"),
    "missing": ("✕", "Missing"),
    "refused": ("✕", "Refused"),
    "made": ("✓", "New"),
    "unchanged": ("=", "Unchanged"),
}


def page_of(
    rows: Sequence[Row],
    posters: Mapping[int, bytes],
    *,
    report: str,
    title: str,
    facts: Mapping[str, str],
    run_url: str | None = None,
) -> str:
    """Return the page, as HTML.

    >>> "There are no videos." in page_of([], {}, report="/report.html", title="News", facts={})
    True

    :param posters: the JPEG of each row that has one, by the position of the row.
    :param report: the path or the address of the page itself.
    :param title: the heading, for example the name of the sheet.
    :param facts: lines below the heading, by their names, such as the id of the run.
    :param run_url: the address of the task that wrote the page.
    """
    counts = counts_of(rows)
    used = [state for state, count in counts.items() if count]
    lines = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">',
        f"<title>{plain(title)}: report</title>\n<style>{STYLE}{_filters(used)}</style>\n</head>\n<body>",
        f'<header>\n<h1 dir="auto">{plain(title)}</h1>',
        f'<p class="headline">{plain(headline(counts))}</p>',
        '<dl class="facts">',
        *(f"<div><dt>{plain(name)}</dt><dd>{plain(value)}</dd></div>" for name, value in facts.items()),
        "</dl>",
    ]
    if link := task_link(run_url):
        lines.append(f'<p><a href="{escape(link)}">Open this run in Airflow</a></p>')
    if len(used) > 1:
        lines.append(_choices(counts, used))
    lines.append('</header>\n<main>\n<ol role="list">')
    lines += [_item(row, number, posters.get(number), report) for number, row in enumerate(rows)]
    lines.append("</ol>\n</main>\n</body>\n</html>\n")
    return "\n".join(lines)


def _choices(counts: Mapping[str, int], used: Sequence[str]) -> str:
    """Return the filter by state; the style hides the other rows."""
    choices = [("all", "All", sum(counts.values()))]
    choices += [(state, _LABELS[state][1], counts[state]) for state in used]
    inputs = [
        f'<label><input type="radio" name="show" id="show-{state}" autocomplete="off"'
        f"{' checked' if state == 'all' else ''}> {label} <b>{count:,}</b></label>"
        for state, label, count in choices
    ]
    return "\n".join(["<fieldset>\n<legend>Show</legend>", *inputs, "</fieldset>"])


def _filters(used: Sequence[str]) -> str:
    return "".join(
        f'\nbody:has(#show-{state}:checked) li:not([data-state="{state}"]){{display:none}}' for state in used
    )


def _item(row: Row, number: int, poster: bytes | None, report: str) -> str:
    sign, label = _LABELS[row.state]
    name = plain(row.name)
    link = link_to(row.video, report) if row.video else None
    picture = '<span class="none">no poster</span>'
    if poster:
        data = b64encode(poster).decode()
        picture = (
            f'<img alt="Poster of {name}" width="{_side(poster, 7)}" height="{_side(poster, 5)}" '
            f'loading="lazy" decoding="async" src="data:image/jpeg;base64,{data}">'
        )
    lines = [
        f'<li data-state="{row.state}" id="row-{number + 1}">',
        f'<div class="poster">{picture}</div>',
        f'<div class="about">\n<h2><bdi>{name}</bdi> '
        f'<span class="state"><span aria-hidden="true">{sign}</span> {label}</span></h2>',
    ]
    lines += [
        f'<p class="problem" dir="auto">{plain(problem)}</p>' for problem in row.problems[:5] if problem
    ]
    if row.text:
        language = re.match(r"[A-Za-z]{2,3}-[A-Za-z]{2,4}(?=-)", row.pronouncer)
        lang = f' lang="{language[0]}"' if language else ""
        lines.append(f'<p class="text" dir="auto"{lang}>{plain(row.text)}</p>')
    facts = "".join(f"<div><dt>{plain(key)}</dt><dd>{plain(value)}</dd></div>" for key, value in _facts(row))
    lines += [f"<dl>{facts}</dl>"] if facts else []
    lines += ['<p class="links">', *_links(row, link, report, name), "</p>"]
    if link:
        lines.append(
            f'<details><summary>Play here<span class="hidden">: {name}</span></summary>'
            f'<video controls preload="none" src="{escape(link)}"></video></details>'
        )
    return "\n".join([*lines, "</div>\n</li>"])


def _links(row: Row, link: str | None, report: str, name: str) -> Iterator[str]:
    of_row = f'<span class="hidden"> of {name}</span>'
    if link:
        label = "Video" if row.state in WITH_VIDEO else "Rejected video"
        yield f'<a href="{escape(link)}">{label}{of_row}</a>'
    elif row.video:
        yield f'<code dir="ltr">{plain(bare_address(row.video))}</code>'
    for kind, path in row.captions.items():
        if caption := link_to(path, report):
            yield f'<a href="{escape(caption)}">{plain(kind)}{of_row}</a>'
    if task := task_link(row.task_url):
        yield f'<a href="{escape(task)}">Task{of_row}</a>'


def _facts(row: Row) -> Iterator[tuple[str, str]]:
    if row.pronouncer:
        yield "Voice", row.pronouncer
    if row.duration_s is not None:
        yield "Length", _seconds(row.duration_s)
    if row.expected_s is not None:
        yield "Expected", f"about {_seconds(row.expected_s)}"
    if row.words is not None:
        yield "Words", f"{row.words:,}"
    for key, value in row.checks.items():
        if key == "length_s" and row.duration_s is not None:
            continue
        label = str(key).removesuffix("_s").replace("_", " ").capitalize()
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        shown = f"{value:.4g}" if is_number else one_line(str(value), 60)
        yield label, f"{shown} s" if is_number and str(key).endswith("_s") else shown


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else shown_duration(seconds)


def _side(jpeg: bytes, offset: int) -> int:
    """Return a side of a JPEG in pixels, from the header of its frame (ITU T.81, B.2.2).

    :param offset: 5 for the height, 7 for the width.
    """
    found = re.search(rb"\xff[\xc0-\xc2]", jpeg)
    at = found.start() + offset if found else 0
    return int.from_bytes(jpeg[at : at + 2], "big") if found else 160
