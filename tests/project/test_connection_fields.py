"""A field of the connection's extra has one place: form, parser, errors and docs are made of it."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_twinsync
from airflow_provider_twinsync._api.settings import EXTRA_FIELDS, parse_connection
from airflow_provider_twinsync.exceptions import UsageError

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = Path(airflow_provider_twinsync.__file__).parent
TABLE = PACKAGE / "_api" / "settings.py"
FORM = airflow_provider_twinsync.get_provider_info()["connection-types"][0]["conn-fields"]


def error(extra: dict[str, Any]) -> str:
    with pytest.raises(UsageError) as caught:
        parse_connection("c", host=None, port=None, schema=None, password="k", extra=json.dumps(extra))
    return str(caught.value)


@pytest.mark.parametrize("name", EXTRA_FIELDS)
def test_each_field_is_in_the_form_the_parser_the_docs_and_the_errors(name: str) -> None:
    """An object is a wrong value of each."""
    field = EXTRA_FIELDS[name]
    assert FORM[name]["label"] == field.label
    assert field.meaning in FORM[name]["description"]
    known, wrong = error({"no_field": 1}), error({name: {}})
    assert known.startswith("TS205 ")
    assert f" {name}," in known.replace(".", ",")
    assert wrong.startswith("TS206 ")
    assert name in wrong
    assert field.wanted in wrong
    rows = (CHECKOUT / "docs" / "connection.md").read_text(encoding="utf-8").splitlines()
    [row] = [row for row in rows if row.startswith(f"| `{name}` |")]
    assert row.count(" | ") == 3
    assert field.default_text in row


def test_the_old_form_has_each_field() -> None:
    """Airflow 2 asks the hook for it."""
    pytest.importorskip("flask_appbuilder")
    from airflow_provider_twinsync._airflow.connection_form import form_widgets

    assert list(form_widgets()) == list(EXTRA_FIELDS)


#: A field that the package does not have, as it would be written above the last one.
NEW = """\
    shoe_size: float = ExtraField(
        default=41.5,
        read=read_positive,
        wanted="a size from a shop",
        label="Shoe size",
        meaning="The size of a shoe.",
        kind="number",
    ).as_field()
    requests_per_second:"""
PROGRAM = """
import json
from airflow_provider_twinsync import get_provider_info
from airflow_provider_twinsync._api.settings import parse_connection
def tried(extra):
    fields = {"host": None, "port": None, "schema": None, "password": "k"}
    try:
        return parse_connection("c", **fields, extra=json.dumps(extra)).shoe_size
    except ValueError as error:
        return str(error)
form = get_provider_info()["connection-types"][0]["conn-fields"]["shoe_size"]
print(json.dumps([form, *map(tried, [{}, {"shoe_size": "38"}, {"shoe_size": -1}, {"no_field": 1}])]))
"""


def test_a_new_field_takes_one_place(tmp_path: Path) -> None:
    """In a copy of the package and of the page."""
    unused = shutil.ignore_patterns("__pycache__", "emulator")
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=unused)
    for name in ("dev/__init__.py", "dev/connection_table.py", "docs/connection.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    table = tmp_path / TABLE.relative_to(PACKAGE.parent)
    source = table.read_text(encoding="utf-8")
    assert source.count("    requests_per_second:") == 1
    table.write_text(source.replace("    requests_per_second:", NEW), encoding="utf-8")

    def run(*arguments: str) -> str:
        # The folder in which it runs comes first in the path of its modules.
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    form, default, given, wrong, unknown = json.loads(run("-c", PROGRAM))
    assert form["label"] == "Shoe size"
    assert form["description"] == "The size of a shoe. Default: 41.5"
    assert form["schema"]["type"] == ["number", "null"]
    assert (default, given) == (41.5, 38.0)
    assert wrong.startswith("TS206 ")
    assert "a size from a shop" in wrong
    assert unknown.startswith("TS205 ")
    assert "shoe_size" in unknown
    run("-m", "dev.connection_table")
    row = "| `shoe_size` | a size from a shop | The size of a shoe. | `41.5` |"
    assert row in (tmp_path / "docs" / "connection.md").read_text(encoding="utf-8").splitlines()


def listed(tree: ast.AST) -> list[set[Any]]:
    """Return the names in each collection, call and class: as texts, as keywords, as fields."""
    found = []
    for node in ast.walk(tree):
        parts: list[Any] = []
        if isinstance(node, ast.Dict):
            parts = node.keys
        elif isinstance(node, ast.List | ast.Set | ast.Tuple):
            parts = node.elts
        elif isinstance(node, ast.Call):
            parts = [ast.Constant(keyword.arg) for keyword in node.keywords]
        elif isinstance(node, ast.ClassDef):
            parts = [
                ast.Constant(line.target.id)
                for line in node.body
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
            ]
        found.append({part.value for part in parts if isinstance(part, ast.Constant)})
    return found


def test_no_other_place_of_the_package_lists_the_fields() -> None:
    """A list has two of them at least; code that uses one field names one."""
    lists = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if "emulator" not in path.relative_to(PACKAGE).parts
        for names in listed(ast.parse(path.read_text(encoding="utf-8")))
        if len(names & EXTRA_FIELDS.keys()) > 1
    ]
    assert lists == [TABLE.name]
