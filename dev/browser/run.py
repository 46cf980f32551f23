"""`make browser`: check the pages of this package in the web UI of Airflow 3 and of Airflow 2.

Starts a real Airflow of each, and the emulated TwinSync, and drives Debian's Chromium: it logs in, makes a
connection in the form, tests it, makes videos over it, and opens the tasks' links and pages. It checks each
page, and takes the pictures of the docs (`docs/images/`) again. `airflow3.py` and `airflow2.py` know the
pages, and `report.py` the report of a run, which needs no Airflow.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Error, sync_playwright

from dev import CHECKOUT
from dev.airflow.airflow2 import Airflow2World
from dev.airflow.emulated_twinsync import EmulatedTwinSync, order_emulator, wait_for_emulator
from dev.airflow.world import USER, AirflowWorld
from dev.browser import night
from dev.browser.airflow2 import Airflow2Site
from dev.browser.airflow3 import Airflow3Site
from dev.browser.report import check_report
from dev.browser.site import CheckError, Site
from dev.demo import DAGS_FOLDER, EXPECTED, VOICE, Clock

if TYPE_CHECKING:
    from collections.abc import Sequence

START_TIMEOUT_S = 300.0
KEY = "emulator-key-1f6c"
WRONG_KEY = "another-key-77e0"
JOB_S = 3600.0  # jobs end when the emulator's clock is set forward, and not before
CONN_ID = "twinsync_default"  # the one that the example DAGs use
PHOTO = "https://twinsync.example.com/portrait.jpg"  # the emulator fetches none, and draws one itself
ONE, MANY = "twinsync_three_steps", "twinsync_many_photos"
#: The fields of the form beside the address and the key: a number, one with a fraction, a text.
EXTRAS = {
    "request_timeout_s": "20",
    "requests_per_second": "0.5",
    "allowed_result_hosts": "videos.example.com",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m dev browser", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--airflow2", type=Path, required=True, help="the Python that has Airflow 2")
    parser.add_argument("--only", choices=["2", "3", "report"], help="look at one of them")
    args = parser.parse_args(argv)
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        print("error: there is no Chromium on the path. On Debian: apt-get install chromium", file=sys.stderr)
        return 1
    clock = Clock()
    homes = CHECKOUT / ".airflow"
    try:
        if args.only in (None, "report"):
            check_report(program, clock)
        if args.only in (None, "3"):
            world = AirflowWorld(homes / "browser3", DAGS_FOLDER)
            poll(world, Airflow3Site, version("apache-airflow"), program, clock)
        if args.only in (None, "2"):
            examples = examples_for_airflow2(homes / "browser2-dags")
            old = Airflow2World(homes / "browser2", examples, python=args.airflow2.absolute())
            poll(old, Airflow2Site, "2", program, clock)
    except (CheckError, Error, *EXPECTED) as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    return 0


def examples_for_airflow2(folder: Path) -> Path:
    """Write the example DAGs into a folder, with the imports of Airflow 2, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for example in DAGS_FOLDER.glob("*.py"):
        text = example.read_text(encoding="utf-8")
        text = text.replace("from airflow.sdk import", "from airflow.providers.common.compat.sdk import")
        (folder / example.name).write_text(text, encoding="utf-8")
    for data in (*DAGS_FOLDER.glob("*.txt"), *DAGS_FOLDER.glob("*.csv")):
        shutil.copy(data, folder)
    return folder


def poll(world: AirflowWorld, kind: type[Site], name: str, program: str, clock: Clock) -> None:
    """Look at one Airflow.

    :param kind: how its pages are used.
    :param program: the browser.
    """
    clock.say(f"starting Airflow {name} and the TwinSync emulator")
    with world as airflow:
        order_emulator(airflow.processes, waiting_s=0, duration_s=JOB_S, key=KEY)
        airflow.prepare()
        emulator = wait_for_emulator(airflow.processes)
        airflow.start(timeout_s=START_TIMEOUT_S)
        with sync_playwright() as playwright:
            sandbox = [] if os.geteuid() else ["--no-sandbox"]  # it has none as root
            browser = playwright.chromium.launch(executable_path=program, args=sandbox)
            page = browser.new_page(
                viewport={"width": 1100, "height": 900},
                locale="en-US",
                timezone_id="UTC",
                color_scheme="light",
                reduced_motion="reduce",
            )
            site = kind(page, airflow.url)
            try:
                walk(site, airflow, emulator, clock)
            except (CheckError, AssertionError, Error) as error:
                seen = airflow.home / "failed.png"
                page.screenshot(path=seen, full_page=True)
                raise CheckError(f"{error}\nThe page at that moment, {page.url}, is in {seen}") from error
            finally:
                browser.close()


def walk(site: Site, airflow: AirflowWorld, emulator: EmulatedTwinSync, clock: Clock) -> None:
    """Do the steps of a person, from the login to the finished video."""
    clock.say("  logging in")
    site.log_in(USER, airflow.password)
    clock.say("  the form of a connection")
    site.open_form()
    site.check_form()
    site.check_extras()
    host, port = emulator.url.removeprefix("http://").split(":")
    site.fill({"host": host, "port": port, "password": KEY}, EXTRAS, CONN_ID)
    for works, message in site.save_and_test(CONN_ID, right=KEY, wrong=WRONG_KEY):
        clock.say(f"  Test says: {message}")
        said = "does not object to the access key" if works else "rejects the access key"
        site.check(said in message, f"the Test button says {message!r}, and not {said!r}")
    sent = [request["form"] for request in emulator.journal()]
    site.check(bool(sent) and not any(sent), f"the Test button sent {sent} beside the key")
    saved = site.stored(CONN_ID)
    site.check(saved["extra"] == EXTRAS, f"the form stored {saved['extra']}, typed was {EXTRAS}")

    clock.say("  one video")
    files = airflow.home / "videos"
    one = {
        "text": "Good morning!",
        "image_url": PHOTO,
        "pronouncer": VOICE,
        "destination": str(files / "one.mp4"),
    }
    site.start(ONE, "morning", one)
    site.wait_until(ONE, "morning", wait="deferred")
    status = site.link(ONE, "morning", "wait")
    site.check("taskID=" in status, f"while the wait is deferred, its link is {status}")
    site.check(site.link(ONE, "morning", "submit") == status, "the submit links elsewhere than its wait")
    site.check_no_link(ONE, "morning", "fetch")
    emulator.advance(JOB_S)
    site.wait_until(ONE, "morning", wait="success", fetch="success")
    site.check_video(site.link(ONE, "morning", "fetch"))
    site.check_video(site.link(ONE, "morning", "wait", picture="links"))
    site.check_shows(ONE, "morning", "submit", "rendered", "Good morning!")
    site.check_shows(ONE, "morning", "wait", "log", "is finished after")

    clock.say("  a video that fails, beside one that does not, mapped")
    emulator.add_fault({"call": "submit", "fault": "fail_job"})
    texts = {"afternoon": "Good afternoon.", "evening": "Good evening."}
    site.start(MANY, "greetings", {"texts": texts, "folder": str(files)})
    site.wait_until(MANY, "greetings", **{"video.wait[0]": "deferred", "video.wait[1]": "deferred"})
    emulator.advance(JOB_S)
    states = site.wait_until(
        MANY, "greetings", **{"video.wait[0]": "failed success", "video.wait[1]": "failed success"}
    )
    failed, good = sorted((0, 1), key=lambda index: str(states[f"video.wait[{index}]"]))
    site.wait_until(
        MANY, "greetings", **{f"video.fetch[{good}]": "success", f"video.fetch[{failed}]": "upstream_failed"}
    )
    site.check_video(site.link(MANY, "greetings", "video.wait", good))
    site.check_video(site.link(MANY, "greetings", "video.fetch", good))
    status = site.link(MANY, "greetings", "video.wait", failed)
    site.check("taskID=" in status, f"the link of a wait that failed is {status}")
    site.check_shows(MANY, "greetings", "video.wait", "log", "104", failed)
    site.check_no_link(MANY, "greetings", "video.fetch", failed)
    if isinstance(site, Airflow3Site):
        night.walk(site, airflow, emulator, clock, job_s=JOB_S)
    site.check(not site.errors, f"the pages had errors: {site.errors}")
    clock.say("  all is as it should be")
