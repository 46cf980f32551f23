"""The web UI of Airflow 2 in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from playwright.sync_api import expect

from dev.browser.site import FIELDS, FORM, Site

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Locator

_TABS = {"details": "details", "rendered": "rendered", "log": "logs"}


class Airflow2Site(Site):
    """The pages of Airflow 2."""

    api = "/api/v1"
    name = "airflow2"

    @property
    def form(self) -> Locator:
        """The form."""
        return self.page.locator("#model_form")

    def log_in(self, user: str, password: str) -> None:
        """Log in to the FAB auth manager."""
        self.page.goto(self.url)
        self.page.locator("input[name=username]").fill(user)
        self.page.locator("input[name=password]").fill(password)
        self.page.locator("input[type=submit]").click()
        self.page.wait_for_url("**/home")

    def open_form(self) -> None:
        """Open the form of a new connection, and choose the type TwinSync."""
        self.page.goto(f"{self.url}/connection/add")
        self.page.locator("#conn_type").select_option(label="TwinSync")

    def check_form(self) -> None:
        """Check the standard fields. The description is in the form of every type."""
        for name in ("host", "port", "schema", "password"):
            field = self.page.locator(f"#{name}")
            expect(field).to_be_visible()
            expect(field).to_have_attribute("placeholder", FORM["placeholders"].get(name, ""))
        expect(self.page.locator("#password")).to_have_attribute("type", "password")
        expect(self.page.locator("#password")).to_have_accessible_name("Access key")
        for name in ("login", "extra"):
            expect(self.page.locator(f"#{name}")).to_be_hidden()
        self.page.set_viewport_size({"width": 1100, "height": 1700})
        self.picture("connection", self.form)
        self.page.set_viewport_size({"width": 1100, "height": 900})

    def check_extras(self) -> None:
        """Check the fields of the extra: label, help text, kind of input."""
        for name, field in FIELDS.items():
            shown = self.page.locator(f"#extra__twinsync__{name}")
            expect(shown).to_be_visible()
            expect(shown).to_have_accessible_name(field["label"])
            expect(shown.locator("xpath=..")).to_contain_text(field["description"])
            kind = "text" if field["schema"]["type"][0] == "string" else "number"
            expect(shown).to_have_attribute("type", kind)
            expect(shown).to_have_value("")
        expect(self.form.locator("[id^=extra__]:visible")).to_have_count(len(FIELDS))

    def fill(self, fields: Mapping[str, str], extras: Mapping[str, str], conn_id: str) -> None:
        """Type into the fields."""
        named = {f"extra__twinsync__{name}": value for name, value in extras.items()}
        for name, value in {"conn_id": conn_id, **fields, **named}.items():
            self.page.locator(f"#{name}").fill(value)

    def save_and_test(self, conn_id: str, *, right: str, wrong: str) -> Iterator[tuple[bool, str]]:
        """Press Test, which uses the typed values, and then save."""
        for key, works in ((wrong, False), (right, True)):
            self.page.locator("#password").fill(key)
            yield works, self._test()
        self.form.locator("button[type=submit]").click()
        expect(self.page.get_by_text("Added Row")).to_be_visible()

    def open_task(self, dag_id: str, run_id: str, task_id: str, map_index: int, tab: str) -> Locator:
        """Open a tab of a task in the grid of its DAG."""
        place: dict[str, str | int] = {"dag_run_id": run_id, "task_id": task_id, "tab": _TABS[tab]}
        if map_index >= 0:
            place["map_index"] = map_index
        if tab == "rendered":
            place["execution_date"] = self.call("GET", "dags", dag_id, "dagRuns", run_id)["execution_date"]
            self.page.goto(f"{self.url}/rendered-templates?dag_id={dag_id}&{urlencode(place)}")
            return self.page.locator("body")
        asked = "**/extra_links?*" if tab == "details" else "**/logs/**"
        with self.page.expect_response(asked):
            self.page.goto(f"{self.url}/dags/{dag_id}/grid?{urlencode(place)}")
        return self.page.locator(".chakra-tabs__tablist").locator("xpath=../..")

    def _note(self, error: str) -> None:
        if "setting 'autocomplete'" not in error:  # Airflow's own, in every form
            super()._note(error)

    def _test(self) -> str:
        alert = self.page.locator(".alert")
        with self.page.expect_response("**/connections/test"):
            self.page.locator("#test-connection").click()
        expect(alert).to_be_visible()
        said: str = alert.inner_text()
        return said
