"""The web UI of Airflow 3 in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from dev.browser.site import FIELDS, FORM, Site

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Locator

_LABELS = {"host": "Host", "port": "Port", "schema": "Schema"} | FORM["relabeling"]
_AROUND = "xpath=ancestor::*[@data-scope='field' and @data-part='root'][1]"
_TABS = {"details": "/details", "rendered": "/rendered_templates", "log": ""}
_ASKED = {
    "details": "**/links?*",
    "rendered": "**/taskInstances/**",
    "log": "**/logs/**",
}  # the requests that fill them


class Airflow3Site(Site):
    """The pages of Airflow 3."""

    api = "/api/v2"
    name = "airflow3"

    @property
    def dialog(self) -> Locator:
        """The form."""
        return self.page.get_by_role("dialog")

    def log_in(self, user: str, password: str) -> None:
        """Log in to the simple auth manager."""
        self.page.goto(self.url)
        self.page.locator("input[name=username]").fill(user)
        self.page.locator("input[name=password]").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.url}/")

    def open_form(self) -> None:
        """Open the form of a new connection, and choose the type TwinSync."""
        self.page.goto(f"{self.url}/connections")
        self.page.get_by_role("button", name="Add Connection").click()
        self.dialog.get_by_role("combobox").click()
        self.page.keyboard.type("TwinSync")
        self.page.get_by_role("option", name="TwinSync", exact=True).click()

    def check_form(self) -> None:
        """Check the standard fields. Description and Extra Fields JSON are in the form of every type."""
        for name, label in _LABELS.items():
            field = self.dialog.get_by_label(label, exact=True)
            expect(field).to_be_visible()
            expect(field).to_have_attribute("placeholder", FORM["placeholders"].get(name, ""))
        expect(self.dialog.get_by_label("Access key", exact=True)).to_have_attribute("type", "password")
        expect(self.dialog.get_by_label("Port", exact=True)).to_have_attribute("type", "number")
        expect(self.dialog.get_by_label("Login")).to_have_count(0)
        self.picture("connection", self.dialog)

    def check_extras(self) -> None:
        """Check the fields of the extra: label, help text, kind of input."""
        self._section("Extra Fields")
        self.page.set_viewport_size({"width": 1100, "height": 1700})
        for name, field in FIELDS.items():
            shown = self.dialog.locator(f"[name=element_{name}]")
            expect(shown).to_be_visible()
            # The inputs for texts are not tied to their labels, in any form of Airflow.
            expect(shown.locator(_AROUND)).to_contain_text(field["label"])
            expect(shown).to_have_accessible_description(field["description"])
            expect(shown).to_have_role("textbox" if field["schema"]["type"][0] == "string" else "spinbutton")
            expect(shown).to_have_value("")
        expect(self.dialog.locator("[name^=element_]")).to_have_count(len(FIELDS))
        self.picture("connection-extra", self.dialog)
        self.page.set_viewport_size({"width": 1100, "height": 900})

    def fill(self, fields: Mapping[str, str], extras: Mapping[str, str], conn_id: str) -> None:
        """Type into the fields of both sections."""
        self.dialog.get_by_label("Connection ID").fill(conn_id)
        for name, value in extras.items():
            self.dialog.locator(f"[name=element_{name}]").fill(value)
        self._section("Standard Fields")
        for name, value in fields.items():
            self.dialog.get_by_label(_LABELS[name], exact=True).fill(value)

    def save_and_test(self, conn_id: str, *, right: str, wrong: str) -> Iterator[tuple[bool, str]]:
        """Save, and press Test in the list, which uses the saved values; so save the wrong key too."""
        self._save()
        yield True, self._test(picture="connection-test")
        for key, works in ((wrong, False), (right, True)):
            self.page.get_by_role("button", name="Edit Connection").click()
            field = self.dialog.get_by_label("Access key", exact=True)
            expect(field).to_have_value("***")
            field.fill(key)
            self._save()
            yield works, self._test()

    def open_task(self, dag_id: str, run_id: str, task_id: str, map_index: int, tab: str) -> Locator:
        """Open a tab of a task's page."""
        mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
        address = f"{self.url}/dags/{dag_id}/runs/{run_id}/tasks/{task_id}{mapped}{_TABS[tab]}"
        with self.page.expect_response(_ASKED[tab]):
            self.page.goto(address)
        self.page.wait_for_load_state("networkidle")
        return self.page.locator("#root")

    def open_question(self, dag_id: str, run_id: str, task_id: str) -> Locator:
        """Open the page of a question to a person, and return its content."""
        self.page.goto(f"{self.url}/dags/{dag_id}/runs/{run_id}/tasks/{task_id}/required_actions")
        self.page.wait_for_load_state("networkidle")
        return self.page.locator("#root")

    def order(self, run_id: str, conf: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request that starts a run; it must state that the run has no date."""
        return super().order(run_id, conf) | {"logical_date": None}

    def _section(self, name: str) -> None:
        self.dialog.get_by_role("button", name=name, exact=True).click()
        expect(self.dialog.locator("[data-part=item-content][data-state=open]")).to_have_count(1)

    def _save(self) -> None:
        self.dialog.get_by_role("button", name="Save").click()
        expect(self.dialog).to_have_count(0)

    def _test(self, picture: str = "") -> str:
        toast = self.page.locator("[data-scope=toast][data-part=root]")
        self.page.reload()  # away with those of before
        self.page.get_by_role("button", name="Test Connection").click()
        expect(toast).to_be_visible(timeout=60_000)
        said: str = toast.inner_text()
        if picture:
            self.picture(picture, toast)
        return said
