"""The cost of importing the package, and the direction of its imports."""

from __future__ import annotations

import ast
import graphlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.environment import AIRFLOW_VERSION, CHECKOUT, DEPRECATIONS, EXAMPLES

import airflow_provider_twinsync

PACKAGE = "airflow_provider_twinsync"
SOURCES = Path(airflow_provider_twinsync.__file__).parent
#: Slow to import, and in a DAG file needed by nobody.
HEAVY = {"requests", "aiohttp", "urllib3", "httpx"}
#: All modules but the emulator's, by their names below the package; the package itself is the empty name.
MODULES = {
    ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix("__init__").strip("."): path
    for path in SOURCES.rglob("*.py")
    if path.relative_to(SOURCES).parts[0] != "emulator"
}
AIRFLOW_ALONE = "from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator"


def loaded(code: str) -> set[str]:
    """Give the modules that a fresh interpreter has loaded after some code."""
    report = "; import json, sys; print(); print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code + report], capture_output=True, text=True, env=os.environ, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def roots(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.fixture(scope="module")
def bare() -> set[str]:
    return loaded("pass")


#: They decide, and touch nothing: neither Airflow nor HTTP.
PURE = [
    "exceptions",
    "text",
    "voices",
    "_content.extra",
    "_content.length",
    "_content.page_text",
    "_content.report.rows",
    "_content.report.links",
    "_content.report.page",
    "_content.report.style",
    "_content.split",
    "_content.finished.video_check",
    "_content.captions.captions",
    "_api",
    "_wait",
    "_http.circuit_breaker",
    "_download.address_policy",
    "_download.validators",
]


@pytest.mark.parametrize(
    "module", sorted(one for one in MODULES if one in PURE or one.partition(".")[0] in PURE)
)
def test_modules_that_decide_load_nothing_but_the_standard_library(module: str, bare: set[str]) -> None:
    """They can be tested and read alone."""
    assert roots(loaded(f"import {PACKAGE}.{module}") - bare) - sys.stdlib_module_names == {PACKAGE}


@pytest.mark.parametrize("code", [f"import {PACKAGE}", f"import {PACKAGE}; {PACKAGE}.get_provider_info()"])
def test_the_package_itself_loads_no_airflow(code: str, bare: set[str]) -> None:
    """Airflow asks every installed provider for its info at every start."""
    assert roots(loaded(code) - bare) - sys.stdlib_module_names == {PACKAGE}


@pytest.mark.slow
def test_a_dag_file_loads_no_http_library_through_us() -> None:
    """A DAG file is parsed every few seconds; HTTP clients are loaded where a request is made."""
    rooms = [f"{PACKAGE}.{room}" for room in ("hooks", "operators", "sensors", "triggers", "links")]
    ours = loaded(f"{AIRFLOW_ALONE}; import {', '.join(rooms)}") - loaded(AIRFLOW_ALONE)
    assert ours.issuperset(rooms)
    assert roots(ours) & HEAVY == set()
    assert {module for module in ours if module.startswith("airflow.providers.http")} == set()


def test_the_emulator_loads_nothing_of_the_client_and_no_airflow(bare: set[str]) -> None:
    """A mistake that both share would pass every test."""
    ours = loaded(f"import {PACKAGE}.emulator, {PACKAGE}.emulator.world, {PACKAGE}.emulator.server") - bare
    assert "airflow" not in roots(ours)
    client = {module for module in ours if module.startswith(f"{PACKAGE}.")}
    assert {module for module in client if not module.startswith(f"{PACKAGE}.emulator")} == set()


#: Imports all modules of the package, or runs a file, with deprecations as errors.
STRICT = f"""
import pathlib, pkgutil, runpy, sys, warnings
for category in ({", ".join(DEPRECATIONS)}):
    warnings.filterwarnings("error", category=category, module=sys.argv[1])
import {PACKAGE} as package
if sys.argv[2:]:
    runpy.run_path(sys.argv[2], run_name="example_dag")
else:
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        __import__(found.name)
    assert len([name for name in sys.modules if name.startswith(package.__name__)]) == len(
        list(pathlib.Path(package.__path__[0]).rglob("*.py"))
    )
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "example",
    # The example of an approval needs operators that came later.
    [
        None,
        *(one for one in sorted(EXAMPLES.glob("*.py")) if one.stem != "approve" or AIRFLOW_VERSION >= (3, 3)),
    ],
    ids=lambda path: path and path.name,
)
def test_a_fresh_interpreter_warns_of_no_deprecation(example: Path | None) -> None:
    """Every module and every example DAG; below Airflow 3.3 our own only, as Airflow has some."""
    module = "" if AIRFLOW_VERSION >= (3, 3) else rf"({PACKAGE}|example_dag)\b"
    # Without a -W, Airflow makes filters of its own, for all modules whose names begin with `airflow`.
    command = [sys.executable, "-W", "default", "-c", STRICT, module, *([str(example)] if example else [])]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=120)
    assert done.returncode == 0, done.stderr


# ----------------------------------------------------------------------------------------- by their sources

#: The imports of the package that a folder or a public module may have, besides those of its own folder.
MAY_IMPORT: dict[str, set[str]] = {
    "": {"_api"},  # in a function, for the provider info
    "exceptions": set(),
    "text": {"_content", "exceptions"},  # in a function, for a long text
    "voices": {"exceptions"},
    "_api": {"exceptions", "text", "voices"},
    "_wait": {"_api", "exceptions"},
    "_http": {"_api", "_wait", "exceptions"},
    "_storage": {"_api", "exceptions"},
    "_download": {"_api", "_http", "_storage", "exceptions"},
    "_content": {"_api", "_download", "_storage", "exceptions", "text", "voices"},
    "_records": {"_api", "_storage", "exceptions"},
    "links": {"_api", "_airflow"},
    "_airflow": {
        "",
        "_api",
        "_wait",
        "_http",
        "_content",
        "_download",
        "_records",
        "exceptions",
        "links",
        "hooks",
        "text",
        "triggers",
    },
    "hooks": {"_api", "_wait", "_http", "_download", "_airflow", "exceptions"},
    "triggers": {"_api", "_wait", "_airflow", "exceptions", "hooks"},
    "sensors": {"_api", "_wait", "_airflow", "exceptions", "hooks", "links"},
    "__main__": {"_records", "exceptions", "voices"},
    "operators": {
        "_api",
        "_wait",
        "_airflow",
        "_content",
        "_download",
        "_records",
        "_storage",
        "exceptions",
        "hooks",
        "links",
        "text",
    },
    "decorators": {"_airflow", "_api", "exceptions", "operators"},
}


def folder_of(module: str) -> str:
    return module.partition(".")[0]


def source(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> set[str]:
    """Return all modules that a source imports anywhere: at its top, in functions, for types."""
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import, which this test does not follow"
            # `from folder import module` names a module too.
            for name in node.names:
                both = f"{node.module}.{name.name}"
                modules.add(both if both.removeprefix(f"{PACKAGE}.") in MODULES else str(node.module))
    return modules


def own(modules: set[str]) -> set[str]:
    """Return the modules of this package among some modules."""
    return {module.removeprefix(PACKAGE).strip(".") for module in modules if roots({module}) == {PACKAGE}}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module or "__init__")
def test_imports_follow_the_rules_of_the_folders(module: str) -> None:
    """Lazy imports and those for types too: a circle that is hidden is a circle."""
    folder = folder_of(module)
    found = {folder_of(one) for one in own(imported(source(module)))}
    assert found <= MAY_IMPORT[folder] | {folder}


def test_no_modules_import_each_other() -> None:
    """Neither directly nor over others, inside a folder and beyond."""
    graph = {module: own(imported(source(module))) for module in MODULES}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(MODULES)


def test_the_guide_has_these_rules() -> None:
    """docs/architecture.md has the rules of this test in words."""
    guide = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert {f"`{name}`" for name in MAY_IMPORT if name} <= set(re.findall(r"`\w+`", guide))


def test_this_test_sees_imports_wherever_they_are() -> None:
    """At the top, in a function, for types, as an attribute of the package."""
    tree = ast.parse(
        f"import {PACKAGE}.hooks\n"
        f"def f():\n    from {PACKAGE}._http.sync_client import send\n"
        f"if TYPE_CHECKING:\n    from {PACKAGE} import links, get_provider_info\n"
        f"from {PACKAGE}.emulator.world import World\n"
    )
    assert own(imported(tree)) == {"hooks", "_http.sync_client", "links", "", "emulator.world"}


@pytest.mark.parametrize("path", sorted((SOURCES / "emulator").rglob("*.py")), ids=lambda path: path.name)
def test_the_emulator_imports_nothing_of_the_client(path: Path) -> None:
    """It writes its JSON by hand."""
    modules = imported(ast.parse(path.read_text(encoding="utf-8")))
    assert {folder_of(one) for one in own(modules)} <= {"emulator"}
    assert "airflow" not in roots(modules)


#: Calls that block, or belong to the worker: the triggerer has another one for each of them.
BLOCKING = {
    "time.sleep",
    "send",
    "open_session",
    "self.settings",
    "hook.settings",
    "self.get_task",
    "hook.get_task",
    "self.look",
    "hook.look",
    "self.get_connection",
    "ssl.create_default_context",
    "_tls_context",
    "tls_of",
    "_certificates",
}


def called(node: ast.AST) -> set[str]:
    return {ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}


@pytest.mark.parametrize("module", ["triggers", "hooks", "_http.async_client"])
def test_nothing_blocks_in_the_triggerer(module: str) -> None:
    """No coroutine has a call of the worker: one that blocks holds up every other trigger."""
    coroutines = [node for node in ast.walk(source(module)) if isinstance(node, ast.AsyncFunctionDef)]
    assert coroutines
    # All of the client runs in the event loop.
    for node in [source(module)] if module == "_http.async_client" else coroutines:
        assert called(node) & BLOCKING == set(), ast.unparse(node)
        assert not any(name.startswith(("requests.", "urllib")) for name in called(node))


def test_what_blocks_is_still_called_so() -> None:
    """A name that nothing has any more would be looked for in vain."""
    nodes = [node for module in MODULES for node in ast.walk(source(module))]
    assert {name for name in BLOCKING if name.isidentifier()} <= {
        node.name for node in nodes if isinstance(node, ast.FunctionDef)
    }


def test_the_trigger_has_nothing_that_blocks() -> None:
    """Neither a client of the worker, nor a submit: a trigger may run again, and would pay again."""
    tree = source("triggers")
    assert roots(imported(tree)) & HEAVY == set()
    names = {name.rpartition(".")[2] for name in called(tree)}
    assert "sleep" in names
    assert "time.sleep" not in called(tree)
    assert names & {"submit", "build_submit", "download", "send"} == set()
