"""The pages of a night of videos: plan, report, captions in a player, and the question to a person."""

from __future__ import annotations

import functools
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from dev.demo import PHOTO as PORTRAIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import ViewportSize

    from dev.airflow.emulated_twinsync import EmulatedTwinSync
    from dev.airflow.world import AirflowWorld
    from dev.browser.airflow3 import Airflow3Site
    from dev.demo import Clock

SHEET, APPROVE = "twinsync_sheet", "twinsync_approve"
ROWS = 5  # of the sheet among the examples
DESKTOP: ViewportSize = {"width": 1100, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
TALL: ViewportSize = {"width": 1100, "height": 1120}
PLAYER = """<!doctype html><title>A player</title><style>body {{ margin: 0 }}</style>
<video src="{name}.mp4" width="384" height="504" muted>
<track default kind="captions" src="{name}.vtt"></video>"""


def walk(
    site: Airflow3Site,
    airflow: AirflowWorld,
    emulator: EmulatedTwinSync,
    clock: Clock,
    *,
    job_s: float,
) -> None:
    """Do the steps of a person, from the plan of a sheet to a question before it is answered.

    :param job_s: the time that a job takes at the emulator.
    """
    folder = airflow.home / "night"
    clock.say("  a sheet")
    photo = emulator.upload(PORTRAIT)
    site.start(SHEET, "night", {"folder": str(folder), "photo": photo})
    site.wait_until(SHEET, "night", **{f"make[{row}]": "deferred" for row in range(ROWS)})
    emulator.advance(job_s)
    site.wait_until(SHEET, "night", report="success")
    with served(folder) as web:
        look(site, f"{web}/plan.html", "plan", **{str(folder): "/videos", str(PORTRAIT.parent): "/scripts"})
        look(site, f"{web}/report.html")  # its pictures have 500 rows (report.py)
        expect(site.page.locator("img")).to_have_count(ROWS)
        clock.say("  captions in a player")
        (folder / "player.html").write_text(PLAYER.format(name="anna"))
        site.page.goto(f"{web}/player.html")
        site.page.evaluate("document.querySelector('video').play()")
        site.page.wait_for_function("document.querySelector('video').currentTime > 3")
        site.page.evaluate("document.querySelector('video').pause()")
        cues = "Array.from(document.querySelector('video').textTracks[0].activeCues, cue => cue.text)"
        shown = site.page.evaluate(cues)
        site.check(shown == ["Your appointment is on Monday at nine."], f"the player shows {shown}")
        site.keep("captions", site.page.locator("video").screenshot())
        clock.say("  a question to a person")
        site.start(APPROVE, "evening", {"folder": str(folder), "web": web, "name": "evening"})
        site.wait_until(APPROVE, "evening", video="deferred")
        emulator.advance(job_s)
        site.wait_until(APPROVE, "evening", approve="awaiting_input deferred")
        site.page.set_viewport_size(TALL)
        asked = site.open_question(APPROVE, "evening", "approve")
        expect(asked).to_contain_text("Good evening! Here is the news.")
        expect(asked.get_by_role("img", name="Poster")).to_be_visible()
        site.keep("approve", site.page.screenshot())


def look(site: Airflow3Site, address: str, name: str = "", **places: str) -> None:
    """Open a page, check that it needs no sideways scrolling, also on a phone, and take its picture.

    :param places: as for :meth:`Site.fix`.
    """
    site.page.goto(address)
    for size in (PHONE, DESKTOP):
        site.page.set_viewport_size(size)
        width = site.page.evaluate("document.documentElement.scrollWidth")
        site.check(width <= size["width"], f"{address} is {width} wide in a window of {size['width']}")
    if name:
        site.fix(**places)
        site.keep(name, site.page.screenshot())


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the base class
        """Print nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder over http, and return its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
