"""The page of a report: foreign texts stay texts, links stay harmless, and everybody can read it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_twinsync._content.report.links import link_to
from airflow_provider_twinsync._content.report.page import page_of
from airflow_provider_twinsync._content.report.rows import STATES, Row
from airflow_provider_twinsync._content.report.style import STYLE
from airflow_provider_twinsync._content.report.thumbnail import MAX_BYTES

REPORT = "/videos/night/report.html"
VOID = {"meta", "input", "img"}
JPEG = b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x50\x00\xa0"


class Tree(HTMLParser):
    """The elements of a page, with their attributes and texts; fails if one is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and data.strip():
            self.texts.setdefault(self._open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def tree(*rows: Row, posters: dict[int, bytes] | None = None, **given: Any) -> Tree:
    arguments: dict[str, Any] = {"report": REPORT, "title": "Videos", "facts": {"Run": "r"}, **given}
    return Tree(page_of(rows, posters or {}, **arguments))


FULL = {
    "text": "Hello.",
    "words": 1,
    "pronouncer": "zh-CN-XiaohanNeural",
    "video": "/videos/a.mp4",
    "captions": {"srt": "/videos/a.srt"},
    "duration_s": 61.0,
    "expected_s": 2.0,
    "checks": {"longest_silent_s": 0.4, "is_black": False},
    "problems": ("It is silent.",),
    "task_url": "https://airflow/make/1",
}
ROWS = [Row(name=state, state=state, **FULL) for state in STATES]


def test_everybody_can_read_it() -> None:
    """Rules of WCAG 2.2 that need no browser: `make browser` asks axe-core."""
    page = tree(*ROWS, posters=dict.fromkeys(range(5), JPEG), run_url="https://airflow/run")
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("title")) == len(page.all("h1")) == len(page.all("main")) == 1
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels == [1, 2, 2, 2, 2, 2]
    assert [image["alt"] for image in page.all("img")] == [f"Poster of {state}" for state in STATES]
    assert page.all("img")[0].items() >= {"width": "160", "height": "80", "loading": "lazy"}.items()
    assert len(page.all("label")) == len(page.all("input")) == 1 + len(STATES)
    assert len(page.all("fieldset")) == len(page.all("legend")) == 1
    assert len(page.all("li")) == 5
    assert {one["lang"] for one in page.all("p") if one.get("class") == "text"} == {"zh-CN"}
    assert all(one["dir"] == "auto" for one in page.all("p") if one.get("class") in ("text", "problem"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert not any("tabindex" in attributes for _, attributes in page.elements)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("number", [0, 1], ids=["light", "dark"])
def test_the_contrast_is_enough(number: int) -> None:
    """WCAG 2.2, 1.4.3: 4.5 for each colour of a text on each colour behind it."""
    colours = dict(re.findall(r"--(\w+):(#\w+)", re.findall(r":root\{([^}]+)\}", STYLE)[number]))
    for ink in ("ink", "soft", "link", "good", "bad", "idle"):
        for paper in ("page", "card"):
            low, high = sorted((luminance(colours[ink]), luminance(colours[paper])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, paper)
    low, high = sorted((luminance(colours["soft"]), luminance(colours["none"])))
    assert (high + 0.05) / (low + 0.05) >= 4.5


NASTY = st.text(max_size=20) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"><img onerror=x>',
        "</style>",
        "javascript:alert(1)",
        "\ud800",
        "\u202eX",
        "\0",
    ]
)


@given(texts=st.lists(NASTY, min_size=9, max_size=9), state=st.sampled_from(STATES))
def test_no_text_becomes_a_part_of_the_page(texts: list[str], state: str) -> None:
    """Texts, names, paths, messages and labels are those of strangers."""
    name, text, pronouncer, video, kind, caption, check, problem, url = texts
    fields: dict[str, Any] = {"text": text, "pronouncer": pronouncer, "video": video, "task_url": url}
    fields |= {"captions": {kind: caption}, "checks": {check: check}, "problems": (problem,)}
    arguments = {"title": name, "facts": {check: text}, "report": REPORT, "run_url": url}
    page = page_of([Row(name=name, state=state, **fields)], {}, **arguments)
    page.encode()
    found = Tree(page)
    tags = {tag for tag, _ in found.elements}
    assert "script" not in tags
    assert "img" not in tags
    assert len(found.all("style")) == len(found.all("li")) == 1
    for _, attributes in found.elements:
        assert not any(key.startswith("on") for key in attributes)
        target = attributes.get("href") or attributes.get("src") or ""
        assert re.match(r"https?://|[^:]*$", target)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00]", page)


@pytest.mark.parametrize(
    ("target", "report", "expected"),
    [
        ("/videos/a.mp4", REPORT, "../a.mp4"),
        ("/videos/night/a b?#%.mp4", REPORT, "a%20b%3F%23%25.mp4"),
        ("file:///videos/night/a.mp4", REPORT, "a.mp4"),
        ("/videos/night/javascript:alert(1)", REPORT, "javascript%3Aalert%281%29"),
        ("s3://aws@b/night/a.mp4", "s3://aws@b/report.html", "night/a.mp4"),
        ("s3://other@b/a.mp4", "s3://aws@b/report.html", None),
        ("s3://b/a.mp4", REPORT, None),
        ("/a.mp4", "s3://b/report.html", None),
        ("https://user:pw@h/a.mp4?X-Amz-Signature=ff", REPORT, "https://h/a.mp4"),
        ("javascript://h/a", REPORT, None),
        ("data:text/html,x", "s3://b/report.html", None),
        ("", REPORT, None),
    ],
)
def test_the_link_of_a_file(target: str, report: str, expected: str | None) -> None:
    assert link_to(target, report) == expected


def test_a_file_that_no_browser_opens_is_shown_without_secrets() -> None:
    page = page_of([Row("a", "made", video="s3://u:pw@b/a.mp4?sig=x")], {}, report=REPORT, title="", facts={})
    assert "<code" in page
    assert not re.search(r"u:pw|sig=", page)


def test_a_filter_for_each_state_that_there_is() -> None:
    """Without a script: the style hides the rows of the other states."""
    page = page_of(ROWS[1:4], {}, report=REPORT, title="", facts={})
    assert re.findall(r"has\(#show-(\w+):checked", page) == ["missing", "refused", "made"]
    assert "<fieldset>" not in page_of(ROWS[:1], {}, report=REPORT, title="", facts={})


def test_500_rows_are_less_than_6_mb() -> None:
    """With posters of the largest size, and long texts."""
    text = "\U0001f600" * 400
    rows = [Row(f"row {n}", "made", **{**FULL, "text": text}) for n in range(500)]
    page = page_of(
        rows,
        dict.fromkeys(range(500), JPEG + bytes(MAX_BYTES - len(JPEG))),
        report=REPORT,
        title="",
        facts={},
    )
    assert len(page.encode()) < 6_000_000
