"""The provider info, and this package in Airflow's lists and forms."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
import warnings
from importlib.metadata import entry_points, metadata, version
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]  # its types are another package
import pytest
from support.environment import AIRFLOW_VERSION
from support.provider_info import CONN_FIELDS, CONNECTION_TYPE, INFO, schema_of_airflow

import airflow_provider_twinsync
from airflow_provider_twinsync import get_provider_info

if TYPE_CHECKING:
    from collections.abc import Iterator

DISTRIBUTION = "airflow-provider-twinsync"


def test_the_info_is_what_airflow_wants() -> None:
    """By the schema of the installed Airflow, and with no word that it does not know: 2.11 knows few."""
    schema = schema_of_airflow("provider_info.schema.json")
    jsonschema.validate(INFO, schema)
    # The schema of Airflow 2 has only the entries that it reads.
    unread = {"integrations", "operators", "sensors", "hooks"} if AIRFLOW_VERSION < (3, 0) else set()
    assert set(INFO) - set(schema["properties"]) == unread
    assert json.loads(json.dumps(INFO)) == INFO


def test_the_connection_type_is_what_airflow_wants() -> None:
    """By the schema for providers in Airflow's own repository, which has more about the form."""
    schema = schema_of_airflow("provider.yaml.schema.json")["properties"]["connection-types"]
    jsonschema.validate(INFO["connection-types"], schema)
    # Airflow ignores unknown entries: until 3.2 the form, and the name until 3.3.
    since = {"ui-field-behaviour": (3, 2), "conn-fields": (3, 2), "hook-name": (3, 3)}
    known = {name for name in CONNECTION_TYPE if since.get(name, (0, 0)) <= AIRFLOW_VERSION}
    assert known == set(CONNECTION_TYPE) & set(schema["items"]["properties"])
    if "conn-fields" not in known:
        return
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{**CONNECTION_TYPE, "conn-fields": {"path": {"label": "Path"}}}], schema)


def test_the_info_is_a_new_one_each_time() -> None:
    """Airflow changes the result."""
    changed = get_provider_info()
    changed["connection-types"][0]["ui-field-behaviour"]["hidden-fields"].clear()
    assert get_provider_info() == INFO


def dotted(value: Any) -> Iterator[str]:
    """Return every path of this package in the info, at any depth."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from dotted(one)
    elif isinstance(value, str) and value.startswith("airflow_provider_twinsync"):
        yield value


@pytest.mark.parametrize("path", sorted(set(dotted(INFO))))
def test_every_path_in_the_info_can_be_imported(path: str) -> None:
    """A path is that of a class, a function or a module."""
    assert pkgutil.resolve_name(path)


def test_the_info_names_all_rooms_that_a_dag_author_uses() -> None:
    """The registry and the web UI list them."""
    found = {kind: INFO[kind][0]["python-modules"] for kind in ("hooks", "operators", "sensors", "triggers")}
    assert found == {kind: [f"airflow_provider_twinsync.{kind}"] for kind in found}
    names = {integration["integration-name"] for integration in INFO["integrations"]}
    for kind in found:
        assert {entry["integration-name"] for entry in INFO[kind]} <= names


def test_every_link_of_an_operator_is_in_the_info() -> None:
    """Airflow shows no other links."""
    from airflow_provider_twinsync.operators import TwinSyncDownloadOperator, TwinSyncSubmitOperator
    from airflow_provider_twinsync.sensors import TwinSyncSensor

    links = [
        link
        for operator in (TwinSyncDownloadOperator, TwinSyncSubmitOperator, TwinSyncSensor)
        for link in operator.operator_extra_links
    ]
    assert {f"{type(link).__module__}.{type(link).__qualname__}" for link in links} == set(
        INFO["extra-links"]
    )


def test_airflow_finds_the_info() -> None:
    """By the entry point of the installed distribution."""
    ours = [
        entry for entry in entry_points(group="apache_airflow_provider") if entry.load() is get_provider_info
    ]
    assert len(ours) == 1
    assert ours[0].dist is not None
    assert ours[0].dist.name == INFO["package-name"] == DISTRIBUTION


def test_the_installed_version_is_the_one_in_the_source() -> None:
    """The build reads the version from the source."""
    assert version(DISTRIBUTION) == airflow_provider_twinsync.__version__
    assert metadata(DISTRIBUTION)["Requires-Python"] == ">=3.10"


def test_the_hook_is_the_one_that_the_info_describes() -> None:
    """Older Airflows read its class attributes."""
    from airflow_provider_twinsync.hooks import TwinSyncHook

    assert CONNECTION_TYPE["hook-class-name"] == f"{TwinSyncHook.__module__}.{TwinSyncHook.__qualname__}"
    assert CONNECTION_TYPE["connection-type"] == TwinSyncHook.conn_type == "twinsync"
    assert CONNECTION_TYPE["hook-name"] == TwinSyncHook.hook_name
    assert TwinSyncHook.conn_name_attr == "twinsync_conn_id"
    assert TwinSyncHook.default_conn_name == "twinsync_default"


@pytest.fixture(scope="module")
def manager() -> Any:
    from airflow.providers_manager import ProvidersManager

    return ProvidersManager()  # type: ignore[no-untyped-call]


def test_airflow_lists_the_connection_type(manager: Any) -> None:
    """With a Test button, and with the argument that names a connection."""
    with warnings.catch_warnings():
        # Airflow 3 warns, because a task has another source; the web server reads this one.
        warnings.simplefilter("ignore")
        hook = manager.hooks["twinsync"]
    assert hook.hook_class_name == CONNECTION_TYPE["hook-class-name"]
    assert hook.package_name == DISTRIBUTION
    assert hook.hook_name == "TwinSync"
    assert hook.connection_id_attribute_name == "twinsync_conn_id"
    assert hook.connection_testable is True


FORM = """
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
(form,) = [form for form in HookMetaService.hook_meta_data() if form.connection_type == "twinsync"]
print("\\n" + form.model_dump_json())
"""


def shown_form(manager: Any) -> tuple[dict[str, str], str]:
    """Return the labels of the extra fields in the web form, and the label of the password."""
    if AIRFLOW_VERSION < (3, 0):
        widgets = manager.connection_form_widgets.items()
        ours = [widget for name, widget in widgets if name.startswith("extra__twinsync__")]
        labels = {widget.field_name: widget.field.args[0] for widget in ours}
        return labels, manager.field_behaviours["twinsync"]["relabeling"]["password"]
    # The answer of the API server, in an interpreter of its own: up to 3.1 it replaces the form libraries
    # that the hook imports, which works only before the hooks are loaded.
    done = subprocess.run(
        [sys.executable, "-c", FORM], capture_output=True, text=True, env=os.environ, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    form = json.loads(done.stdout.splitlines()[-1])
    labels = {name: field["schema"]["title"] for name, field in form["extra_fields"].items()}
    return labels, form["standard_fields"]["password"]["title"]


@pytest.mark.skipif(
    AIRFLOW_VERSION == (3, 0), reason="Airflow 3.0 shows a hook's form only with the FAB provider"
)
def test_airflow_shows_the_form(manager: Any) -> None:
    """For example ``path`` under its own name, and the password as "Access key"."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels, password = shown_form(manager)
    assert labels == {name: field["label"] for name, field in CONN_FIELDS.items()}
    assert list(labels) == list(CONN_FIELDS)
    assert password == "Access key"


def test_airflow_knows_the_provider_and_its_link(manager: Any) -> None:
    """In the list of providers, with the installed version."""
    assert manager.providers[DISTRIBUTION].version == airflow_provider_twinsync.__version__
    assert set(INFO["extra-links"]) <= set(manager.extra_links_class_names)


#: Runs several of Airflow's commands in one interpreter, as its start takes seconds.
COMMANDS = """
import json, sys
from airflow.cli.cli_parser import get_parser
for command in sys.argv[1:]:
    print("\\n#", command)
    args = get_parser().parse_args(["providers", *command.split(), "--output", "json"])
    args.func(args)
"""


@pytest.mark.slow
def test_the_command_line_shows_all_that_the_package_brings() -> None:
    """`airflow providers`: in the list, in full, and each hook, link, trigger, form and field."""
    commands = [f"get {DISTRIBUTION} --full", "list", "hooks", "links", "triggers", "behaviours", "widgets"]
    command = [sys.executable, "-c", COMMANDS, *commands]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    parts = (part.splitlines() for part in done.stdout.split("\n# ")[1:])
    shown = {
        name: json.loads(next((line for line in lines if line.startswith("[")), "[]"))
        for name, *lines in parts
    }

    [info] = shown[commands[0]]
    # The command cuts the full stop off.
    assert {name: info[name] for name in INFO} == INFO | {"description": INFO["description"].rstrip(".")}
    [listed] = [row for row in shown["list"] if row["package_name"] == DISTRIBUTION]
    assert listed["version"] == airflow_provider_twinsync.__version__
    [hook] = [row for row in shown["hooks"] if row["package_name"] == DISTRIBUTION]
    assert (hook["connection_type"], hook["hook_name"]) == ("twinsync", "TwinSync")
    assert hook["class"] == CONNECTION_TYPE["hook-class-name"]
    assert {row["extra_link_class_name"] for row in shown["links"]} >= set(INFO["extra-links"])
    [trigger] = [row for row in shown["triggers"] if row["package_name"] == DISTRIBUTION]
    assert trigger["class"] == "airflow_provider_twinsync.triggers"
    if (3, 0) <= AIRFLOW_VERSION < (3, 2):
        return  # here only the FAB provider shows the form, which the web UI of these does not need
    assert {"field_behaviours": "twinsync"} in shown["behaviours"]
    fields = [row for row in shown["widgets"] if row["package_name"] == DISTRIBUTION]
    assert {row["connection_parameter_name"] for row in fields} == {
        f"extra__twinsync__{name}" for name in CONN_FIELDS
    }
