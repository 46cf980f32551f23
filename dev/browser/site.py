"""A web UI of Airflow in a browser: the common part of all versions."""

from __future__ import annotations

import io
import json
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import expect

from airflow_provider_twinsync import get_provider_info
from dev import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import FloatRect, Locator, Page

PICTURES = CHECKOUT / "docs" / "images"
RUN_TIMEOUT_S = 600.0
RESETS = 3  # the web server of Airflow 2 closes connections that were kept
PAGE_TIMEOUT_MS = 60_000.0  # a busy machine needs its time
MAX_PICTURE_BYTES = 150_000
[CONNECTION_TYPE] = get_provider_info()["connection-types"]
FORM = CONNECTION_TYPE["ui-field-behaviour"]
FIELDS: dict[str, dict[str, Any]] = CONNECTION_TYPE["conn-fields"]

# Times and ports are other ones in each run: the pictures show fixed ones, and change only if the page does.
_FIX = """(places) => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        walker.currentNode.data = walker.currentNode.data
            .replace(/\\d{4}-\\d\\d-\\d\\d([T, ]+)\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?/g, "2026-01-01$112:00:00")
            .replace(/127\\.0\\.0\\.1:\\d+/g, "127.0.0.1:17374")
            .replace(/^(\\d\\d:){2}\\d\\d(\\.\\d+)?$/, "00:00:05");
        for (const [place, shown] of Object.entries(places))
            walker.currentNode.data = walker.currentNode.data.replaceAll(place, shown);
    }
}"""


class CheckError(Exception):
    """A check of a page failed; the message has the difference."""


class Site(ABC):
    """The pages of a running Airflow.

    :param page: a page of the browser.
    :param url: the address of Airflow.
    """

    api: ClassVar[str]  # the path of its REST API
    name: ClassVar[str]  # in the names of the pictures

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.errors: list[str] = []
        page.set_default_timeout(PAGE_TIMEOUT_MS)
        expect.set_options(timeout=PAGE_TIMEOUT_MS)
        page.on("pageerror", lambda error: self._note(str(error)))

    @abstractmethod
    def log_in(self, user: str, password: str) -> None:
        """Log in as a person does."""

    @abstractmethod
    def open_form(self) -> None:
        """Open the form of a new connection, and choose the type TwinSync."""

    @abstractmethod
    def check_form(self) -> None:
        """Check the fields that every connection has, and take the form's picture."""

    @abstractmethod
    def check_extras(self) -> None:
        """Check the fields of the extra."""

    @abstractmethod
    def fill(self, fields: Mapping[str, str], extras: Mapping[str, str], conn_id: str) -> None:
        """Type into the fields."""

    @abstractmethod
    def save_and_test(self, conn_id: str, *, right: str, wrong: str) -> Iterator[tuple[bool, str]]:
        """Save, and press Test with both keys: yield True if it should work, and its message."""

    @abstractmethod
    def open_task(self, dag_id: str, run_id: str, task_id: str, map_index: int, tab: str) -> Locator:
        """Open a tab of a task's page ("details", "rendered" or "log"), and return its content."""

    @staticmethod
    def check(holds: bool, otherwise: str) -> None:
        """Raise an error with this text unless it holds."""
        if not holds:
            raise CheckError(otherwise)

    # Requests to the REST API, with the browser's own login.

    def call(self, method: str, *path: str, data: Any = None) -> Any:
        """Ask Airflow's REST API."""
        address = self.url + "/".join([self.api, *(quote(part, safe="") for part in path)])
        response = self.page.request.fetch(address, method=method, data=data, max_retries=RESETS)
        if not response.ok:
            raise CheckError(
                f"Airflow answers {response.status} to {method} {address}: {response.text()[:500]}"
            )
        return response.json()

    def stored(self, conn_id: str) -> dict[str, Any]:
        """Return a connection as it is stored, without its key and the empty fields of its extra."""
        found: dict[str, Any] = self.call("GET", "connections", conn_id)
        extra = json.loads(found["extra"] or "{}")
        return found | {"extra": {name: str(value) for name, value in extra.items() if value is not None}}

    def start(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """Start a run of a DAG."""
        deadline = time.monotonic() + RUN_TIMEOUT_S
        while self.page.request.get(f"{self.url}{self.api}/dags/{dag_id}").status != 200:
            self.check(time.monotonic() < deadline, f"Airflow does not find the DAG {dag_id}")
            time.sleep(0.5)
        self.call("PATCH", "dags", dag_id, data={"is_paused": False})
        self.call("POST", "dags", dag_id, "dagRuns", data=self.order(run_id, conf))

    def order(self, run_id: str, conf: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request that starts a run."""
        return {"dag_run_id": run_id, "conf": dict(conf)}

    def wait_until(self, dag_id: str, run_id: str, **wanted: str) -> dict[str, str | None]:
        """Wait until tasks are in one of the states that are named for them, and give the states of all."""
        deadline = time.monotonic() + RUN_TIMEOUT_S
        while True:
            rows = self.call("GET", "dags", dag_id, "dagRuns", run_id, "taskInstances")["task_instances"]
            states = {_name(row["task_id"], row["map_index"]): row["state"] for row in rows}
            rest = [name for name, wish in wanted.items() if str(states.get(name)) not in wish.split()]
            if not rest:
                return states
            over = any(states.get(name) in ("success", "failed", "upstream_failed") for name in rest)
            late = over or time.monotonic() > deadline
            self.check(not late, f"{dag_id} should come to {wanted}, but is {states}")
            time.sleep(0.5)

    # Pages.

    def link(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, picture: str = "") -> str:
        """Where the link on a task's page leads."""
        shown = self.open_task(dag_id, run_id, task_id, map_index, "details")
        found = self._link(shown)
        found.wait_for()
        if picture:
            self.picture(picture, shown, until=found)
        return found.get_attribute("href") or ""

    def check_no_link(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> None:
        """Check that a task's page is whole, and has no link that can be clicked."""
        found = self._link(self.open_task(dag_id, run_id, task_id, map_index, "details"))
        address = found.get_attribute("href") if found.count() else ""
        self.check(not address, f"{task_id} of {run_id} links to {address}, and has no video")

    def check_shows(
        self, dag_id: str, run_id: str, task_id: str, tab: str, text: str, map_index: int = -1
    ) -> None:
        """Check that a text is on a tab of a task's page."""
        shown = self.open_task(dag_id, run_id, task_id, map_index, tab)
        expect(shown).to_contain_text(text)

    def _link(self, shown: Locator) -> Locator:
        return shown.get_by_role("link", name="TwinSync video", exact=True)

    def check_video(self, address: str | None) -> None:
        """Check that a link leads to a video."""
        self.check(str(address).endswith(".mp4"), f"the link to the video is {address}")
        response = self.page.request.get(str(address))
        kind = response.headers.get("content-type")
        self.check(response.ok and kind == "video/mp4", f"{address} gives {response.status}, {kind}")

    def picture(self, name: str, what: Locator, until: Locator | None = None) -> None:
        """Take a picture for the docs, of a part of the page; with `until`, as far down as that goes."""
        self.page.wait_for_timeout(1000)  # for panels that slide in
        self.fix()
        clip: FloatRect | None = what.bounding_box()
        if until and clip and (end := until.bounding_box()):
            clip["height"] = end["y"] + end["height"] + 16 - clip["y"]
        self.keep(f"{name}-{self.name}", self.page.screenshot(clip=clip, caret="hide", animations="disabled"))

    def fix(self, **places: str) -> None:
        """Show fixed times, ports and places on the page.

        :param places: the text to show instead of a place on this machine, by the place.
        """
        self.page.evaluate(_FIX, places)

    def keep(self, name: str, shot: bytes) -> None:
        """Store a picture for the docs, packed."""
        packed = io.BytesIO()
        Image.open(io.BytesIO(shot)).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(
            packed, "PNG", optimize=True
        )
        size = len(packed.getvalue())
        self.check(size < MAX_PICTURE_BYTES, f"the picture {name} has {size} bytes")
        PICTURES.mkdir(exist_ok=True)
        (PICTURES / f"{name}.png").write_bytes(packed.getvalue())

    def _note(self, error: str) -> None:
        self.errors.append(f"{self.page.url}: {error}")


def _name(task_id: str, map_index: int) -> str:
    return task_id if map_index < 0 else f"{task_id}[{map_index}]"
