"""The docs are true: their lists are compared with the code, and their examples are run."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.environment import AIRFLOW_VERSION, EXAMPLES

from airflow_provider_twinsync import exceptions
from airflow_provider_twinsync.hooks import TwinSyncHook
from airflow_provider_twinsync.operators import (
    TwinSyncDownloadOperator,
    TwinSyncPlanOperator,
    TwinSyncReportOperator,
    TwinSyncSubmitOperator,
    TwinSyncVideoOperator,
)
from airflow_provider_twinsync.sensors import TwinSyncSensor

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
PACKAGE = Path(exceptions.__file__).parent


PAGES = [CHECKOUT / "README.md", *DOCS.glob("*.md"), *DOCS.glob("howto/*.md")]


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


OPERATORS = [
    TwinSyncVideoOperator,
    TwinSyncReportOperator,
    TwinSyncPlanOperator,
    TwinSyncSubmitOperator,
    TwinSyncSensor,
    TwinSyncDownloadOperator,
]


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_argument_of_each_operator_is_listed(operator):
    """Neither one that is not there, nor one too few; and which ones are template fields."""
    section = page("operators").partition(f"## {operator.__name__}\n")[2].partition("\n## ")[0]
    firsts = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    arguments = {
        name
        for name, parameter in inspect.signature(operator.__init__).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert set(re.findall(r"`(\w+)`", "".join(firsts))) == arguments
    assert set(re.findall(r"`(\w+)` \*t\*", "".join(firsts))) == set(operator.template_fields)


def test_the_function_that_is_shown_is_a_task():
    """Of a DAG that Airflow parses."""
    [code] = re.findall(r"```python\n(from airflow.*?)```", page("howto/one_video"), flags=re.S)
    if AIRFLOW_VERSION < (3, 0):
        code = re.sub(r"from airflow\.sdk (.*)  # Airflow 2: (.*)", r"from \2 \1", code)
    names = {}
    exec(compile(code + "task_made = news()\n", "one_video.md", "exec"), names)
    assert isinstance(names["task_made"].operator, TwinSyncVideoOperator)


def test_the_table_of_the_extra_is_up_to_date():
    """It is written from the code: `python -m dev.connection_table`."""
    from dev import connection_table

    assert page("connection") == connection_table.written(page("connection"))


def test_the_connections_that_are_shown_are_connections(monkeypatch):
    """As JSON and as a URI, with a number in the extra."""
    shown = re.findall(r"AIRFLOW_CONN_TWINSYNC_DEFAULT='([^']*)'", page("connection"))
    assert [definition[0] for definition in shown] == ["{", "t"]
    for definition in shown:
        monkeypatch.setenv("AIRFLOW_CONN_TWINSYNC_DEFAULT", definition)
        settings = TwinSyncHook().settings()
        assert settings.key == "YOUR-ACCESS-KEY"
        assert settings.url == "http://api2.sam-sara.cn:17374/phototalking"
        assert settings.tolerance_s == 900
        assert settings.verify is True


def test_every_error_is_listed():
    """The table of errors is the tree."""
    table = page("failures").partition("## The errors")[2]
    errors = [
        error
        for error in vars(exceptions).values()
        if isinstance(error, type) and issubclass(error, exceptions.TwinSyncError)
    ]
    public = {error.__name__ for error in errors if not error.__name__.startswith("_")}
    assert set(re.findall(r"(?m)^\| `(\w+)`", table)) == public - {"TwinSyncError"}
    for error in errors:
        if row := re.search(rf"(?m)^\| `{error.__name__}`.*$", table):
            assert ("no retry" not in row[0]) is error.retryable


def shape(node: ast.expr) -> str:
    """A text as it stands in the code, with an ellipsis for each value in it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%(s|d|\.0f)", "…", node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""


def texts() -> list[str]:
    """Return all texts of the package's code, without the emulator's."""
    return [
        shape(node)
        for path in PACKAGE.rglob("*.py")
        if "emulator" not in path.relative_to(PACKAGE).parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant | ast.JoinedStr)
    ]


TEXTS = texts()


def entries() -> dict[str, str]:
    """Return the entries of the page: the code, and the text below it."""
    parts = re.split(r"(?m)^### (TS\d{3})$", page("troubleshooting"))
    assert len(set(parts[1::2])) == len(parts[1::2])
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_each_code_has_its_entry_and_each_entry_its_code():
    """In the order of the codes."""
    codes = {code for text in TEXTS for code in re.findall(r"\bTS\d{3}\b", text)}
    assert len(codes) > 80
    assert list(entries()) == sorted(codes)


@pytest.mark.parametrize("code", entries())
def test_an_entry_has_the_words_of_its_message(code):
    """A user searches for the code, or for the words, and then reads the advice."""
    words, _, advice = entries()[code].strip().partition("\n\n")
    pieces = [part.strip(" :.,") for part in re.findall(r"`([^`]+)`", words)[0].split("…")]
    assert any(len(piece) > 8 and piece in text for piece in pieces for text in TEXTS), pieces
    assert len(advice) > 10


def test_each_error_and_warning_begins_with_a_code():
    """A message that is put together of parts has it in one of them."""
    known = {name for name in vars(exceptions) if name.endswith("Error")}
    without = []
    for path in PACKAGE.rglob("*.py"):
        if "emulator" in path.relative_to(PACKAGE).parts:
            continue
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not call.args:
                continue
            name = ast.unparse(call.func)
            if name in known or name.endswith(("log.warning", "log.error")):
                said = shape(call.args[0])
                if len(re.sub(r"\W|…|_", "", said)) > 5 and not re.match(r"TS\d{3}\b|…", said):
                    without.append(f"{path.name}: {said}")
    assert without == []


def test_the_tests_for_dags_pass(migrated):
    """As they are shown: with the plugin, and an Airflow of their own."""
    folder = DOCS / "howto" / "testing"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, folder]
    environment = os.environ | {"PYTHONPATH": str(EXAMPLES)}
    ran = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    assert re.search(r"(?m)^4 passed", ran.stdout), ran.stdout


@pytest.mark.parametrize("path", sorted(DOCS.glob("howto/*.md")), ids=lambda path: path.stem)
def test_every_how_to_is_found(path):
    """From the first page of the site, its menu, and the README."""
    assert f"](howto/{path.name})" in page("index")
    assert f"\nhowto/{path.stem}\n" in page("index")
    assert f"](docs/howto/{path.name})" in (CHECKOUT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_page_installs_from_the_index_before_there_is_a_release(path):
    """A page that names the package to pip says that it is not published, and what to install instead."""
    text = path.read_text(encoding="utf-8")
    if re.search(r"pip install '?airflow-provider-twinsync", text):
        assert "is not published yet" in text
        assert "checkout" in text
    assert not re.search(r"(?m)^\$ pip install '?airflow-provider-twinsync", text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_dag_that_is_shown_has_the_imports_of_both_airflows(path):
    """Those of Airflow 3, with those of Airflow 2 beside."""
    shown = re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.S)
    lines = [line for code in shown for line in code.splitlines() if re.match(r"from airflow[. ]", line)]
    assert [line for line in lines if not re.match(r"from airflow\.sdk import .*  # Airflow 2: ", line)] == []


@pytest.mark.parametrize("name", ["photos", "approve", "many_videos", "one_video", "sheet"])
def test_a_warning_about_money_is_the_first_thing_on_its_page(name):
    """In bold, under the heading."""
    assert re.match(r"# .*\n\n\*\*", page(f"howto/{name}"))


def test_the_picture_of_the_house_is_up_to_date():
    """It is drawn from the sources: `python -m dev.house`."""
    from dev import house

    if not house.PACKAGE.is_dir():
        pytest.skip("needs the sources")
    assert house.PICTURE.read_text(encoding="utf-8") == house.draw()
