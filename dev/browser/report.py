"""The report of a run in a browser, at 500 rows: no Airflow, and posters of the emulator's renderer.

Checks its size, its width on a phone, its filter, and the rules of axe-core, which `axe-playwright-python`
contains; takes the pictures of the docs.
"""

from __future__ import annotations

import io
import os
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import av
from axe_playwright_python.sync_playwright import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
    Axe,
)
from PIL import Image
from playwright.sync_api import sync_playwright

from airflow_provider_twinsync._content.report.page import page_of
from airflow_provider_twinsync._content.report.rows import rows_of
from airflow_provider_twinsync._content.report.thumbnail import thumbnail
from airflow_provider_twinsync.emulator.video import render
from airflow_provider_twinsync.text import count_words
from dev import CHECKOUT
from dev.browser.site import MAX_PICTURE_BYTES, PICTURES, CheckError

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from dev.demo import Clock

ROWS = 500
MAX_PAGE_BYTES = 6_000_000
MAX_OPEN_S = 5.0
WIDTHS = {"": 1280, "-phone": 390}
#: Of scripts that a plain Debian has a font for.
TEXTS = {
    "en-US-JennyNeural": "Good morning! Today we learn how a battery works, and why it grows warm.",
    "de-DE-KatjaNeural": "Guten Morgen! Heute lernen wir, wie eine Batterie funktioniert.",
    "fr-FR-DeniseNeural": "Bonjour ! Aujourd'hui, nous apprenons comment fonctionne une pile.",
    "ar-EG-SalmaNeural": "صباح الخير! سنتعلم اليوم كيف تعمل البطارية.",
    "es-ES-ElviraNeural": "¡Buenos días! Hoy aprendemos cómo funciona una pila.",
}


@cache
def poster(text: str, pronouncer: str) -> bytes:
    """Return a frame of the emulator's video of a text, as a JPEG."""
    film = render(text=text, pronouncer=pronouncer, photo=None, should_stop=lambda: False)
    with av.open(io.BytesIO(film)) as container:
        frames = container.decode(video=0)
        frame = [next(frames) for _ in range(12)][-1]
    packed = io.BytesIO()
    frame.to_image().save(packed, "JPEG", quality=90)
    return packed.getvalue()


def written(page: Path, rows: int = ROWS) -> int:
    """Write a report with rows in each state, and return its bytes."""
    planned, videos, rejected = [], [], []
    for number in range(rows):
        pronouncer, text = list(TEXTS.items())[number % len(TEXTS)]
        row_id = f"lesson-{number + 1:03}"
        length_s = 5.2 + number % 7 * 0.8
        planned.append(
            {
                "row_id": row_id,
                "state": "unchanged" if number % 3 == 1 else "new",
                "text": text,
                "words": count_words(text),
                "pronouncer": pronouncer,
                "expected_s": 6.0,
                "map_index": number,
                "stored": {"path": str(page.parent / f"{row_id}.mp4"), "duration_s": length_s},
            }
        )
        video = {"row_id": row_id, "path": str(page.parent / f"{row_id}.mp4"), "duration_s": length_s}
        checks = {"length_s": length_s, "longest_silent_s": 0.4, "longest_black_s": 0.0}
        if number == rows // 2:
            message = "The video is silent for 3.2 s, and the limit is 2 s."
            rejected.append({**video, "message": message, "checks": {**checks, "longest_silent_s": 3.2}})
        elif number % 3 != 1 and number % 167:
            captions = {"srt": str(page.parent / f"{row_id}.srt")}
            videos.append({**video, "checks": checks, "captions": captions})
    plan = {"rows": planned}
    found = rows_of(
        videos, rejected, plan, lambda task, index: f"https://airflow.example.com/{task}/{index}", "make"
    )
    posters = {
        number: thumbnail(poster(row.text, row.pronouncer))
        for number, row in enumerate(found)
        if row.state != "missing"
    }
    facts = {
        "DAG": "lessons",
        "Run": "scheduled__2026-11-29T02:00:00+00:00",
        "Written": "2026-11-29 02:41 UTC",
    }
    text = page_of(
        found,
        posters,
        report=str(page),
        title="Videos of lessons.csv",
        facts=facts,
        run_url="https://airflow.example.com/dags/lessons",
    )
    page.write_text(text, encoding="utf-8")
    return page.stat().st_size


def check_report(program: str, clock: Clock) -> None:
    """Check the page at each width, in light and dark colours.

    :param program: the browser.
    :raises CheckError: a check fails.
    """
    folder = CHECKOUT / ".airflow" / "browser-report"
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "report.html"
    clock.say(f"a report of {ROWS} rows")
    size = written(page)
    _check(size < MAX_PAGE_BYTES, f"the page has {size} bytes")
    with sync_playwright() as playwright:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]  # it has none as root
        browser = playwright.chromium.launch(executable_path=program, args=sandbox)
        for suffix, width in WIDTHS.items():
            for scheme in ("light", "dark"):
                shown: Any = browser.new_page(
                    viewport={"width": width, "height": 844}, color_scheme=scheme, locale="en-US"
                )
                open_s = _look(shown, page, suffix, scheme, folder)
                clock.say(f"  {width} pixels, {scheme}: {size:,} bytes, opened in {open_s:.2f} s")
                shown.close()
        browser.close()


def _look(shown: Page, page: Path, suffix: str, scheme: str, folder: Path) -> float:
    """Check the page that is opened now, and return the seconds until it is open."""
    began = time.monotonic()
    shown.goto(page.as_uri())
    open_s = time.monotonic() - began
    _check(open_s < MAX_OPEN_S, f"the page opens in {open_s:.1f} s")
    wide = shown.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    _check(wide <= 0, f"the page is {wide} pixels wider than the screen")
    shot = shown.screenshot(animations="disabled")
    (folder / f"report{suffix}-{scheme}.png").write_bytes(shot)
    if scheme == "light":
        _save(shot, f"report{suffix}")
    shown.locator("#show-missing").check()
    visible = shown.evaluate("[...document.querySelectorAll('li')].filter(row => row.offsetHeight).length")
    _check(visible == shown.locator('li[data-state="missing"]').count() > 0, f"{visible} rows are shown")
    shown.locator("#show-all").check()
    # axe judges only the colours of rows that are drawn, and takes a minute for all of them.
    shown.add_style_tag(content="li{content-visibility:visible!important}")
    shown.evaluate("[...document.querySelectorAll('li')].slice(40).forEach(row => row.remove())")
    found = Axe().run(shown).response["violations"]
    _check(not found, "; ".join(f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found))
    return open_s


def _save(shot: bytes, name: str) -> None:
    packed = io.BytesIO()
    image = Image.open(io.BytesIO(shot)).convert("RGB")
    image.quantize(256, Image.Quantize.MAXCOVERAGE).save(packed, "PNG", optimize=True)
    size = len(packed.getvalue())
    _check(size < MAX_PICTURE_BYTES, f"the picture {name} has {size} bytes")
    (PICTURES / f"{name}.png").write_bytes(packed.getvalue())


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise CheckError(otherwise)
