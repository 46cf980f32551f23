"""What is said where an installation lacks something: in other processes, with stand-ins on their path."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import metadata, requires
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from pathlib import Path

OURS = f"airflow-provider-twinsync {metadata('airflow-provider-twinsync')['Version']} needs "
#: What the package asks for, by distribution, as pip is told it.
WANTED = {
    one.name: f"{one.name}{one.specifier}"
    for one in map(Requirement, requires("airflow-provider-twinsync") or [])
    if one.marker is None or one.marker.evaluate({"extra": ""})
}
AIRFLOW, COMPAT, HTTP = (
    "apache-airflow",
    "apache-airflow-providers-common-compat",
    "apache-airflow-providers-http",
)
#: The rooms that Airflow or a DAG file may import first.
ROOMS = ["hooks", "operators", "sensors", "triggers", "links"]


def installed(site: Path, name: str, version: str) -> None:
    """Put a distribution of that version before the real one."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def module(site: Path, name: str, source: str = "") -> None:
    """Put a module before the real one, and packages around it."""
    path = site
    for part in name.split("."):
        path /= part
        path.mkdir(exist_ok=True)
        if not (path / "__init__.py").exists():
            (path / "__init__.py").write_text("")
    (path / "__init__.py").write_text(source)


def last_line(site: Path, code: str) -> str:
    """Run code that fails, and give the last line of what it says."""
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        timeout=120,
    )
    assert done.returncode == 1, done.stderr
    assert "During handling" not in done.stderr
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize("room", ROOMS)
def test_an_airflow_that_is_too_old(room: str, tmp_path: Path) -> None:
    """Its own release brings none of the names; what is said is not which."""
    installed(tmp_path, AIRFLOW, "2.10.5")
    module(tmp_path, "airflow")
    assert last_line(tmp_path, f"import airflow_provider_twinsync.{room}") == (
        f"ImportError: {OURS}{WANTED[AIRFLOW]} (here: 2.10.5). Mend it with: pip install '{WANTED[AIRFLOW]}'"
    )


def test_an_airflow_that_is_too_old_for_its_own_provider(tmp_path: Path) -> None:
    """The common-compat provider raises another error then, which does not name this package."""
    installed(tmp_path, AIRFLOW, "2.10.5")
    module(tmp_path, "airflow.providers.common.compat", "raise RuntimeError('needs Apache Airflow 2.11.0+')")
    assert f"{WANTED[AIRFLOW]} (here: 2.10.5)" in last_line(
        tmp_path, "import airflow_provider_twinsync.hooks"
    )


def test_two_that_are_too_old(tmp_path: Path) -> None:
    """Both are named, and mended by one command."""
    installed(tmp_path, AIRFLOW, "2.10.5")
    installed(tmp_path, COMPAT, "1.5.0")
    module(tmp_path, "airflow.providers.common.compat.sdk", "AirflowException = Exception")
    said = last_line(tmp_path, "import airflow_provider_twinsync.sensors")
    assert f"{WANTED[AIRFLOW]} (here: 2.10.5)" in said
    assert f"{WANTED[COMPAT]} (here: 1.5.0)" in said
    assert set(said.partition("pip install ")[2].split()) == {f"'{WANTED[AIRFLOW]}'", f"'{WANTED[COMPAT]}'"}


def test_a_version_that_is_none_does_not_hide_the_others(tmp_path: Path) -> None:
    """A distribution may be half removed."""
    installed(tmp_path, AIRFLOW, "unknown")
    installed(tmp_path, COMPAT, "1.5.0")
    module(tmp_path, "airflow.providers.common.compat.sdk", "AirflowException = Exception")
    said = last_line(tmp_path, "import airflow_provider_twinsync.sensors")
    assert said.startswith(f"ImportError: {OURS}{WANTED[COMPAT]} (here: 1.5.0). ")


def test_the_test_of_a_connection_says_it_too(tmp_path: Path) -> None:
    """The web form shows what it gives, and nothing of what is raised."""
    installed(tmp_path, HTTP, "4.13.3")
    code = "from airflow_provider_twinsync.hooks import TwinSyncHook as It; exit(str(It().test_connection()))"
    assert last_line(tmp_path, code).startswith(f'(False, "{OURS}{WANTED[HTTP]} (here: 4.13.3).')


def test_before_a_request_is_made_all_are_looked_at(tmp_path: Path) -> None:
    """What is too old may be imported all the same, and fail in the midst of a submit."""
    installed(tmp_path, HTTP, "4.13.3")
    assert last_line(tmp_path, "import airflow_provider_twinsync.senders") == (
        f"ImportError: {OURS}{WANTED[HTTP]} (here: 4.13.3). Mend it with: pip install '{WANTED[HTTP]}'"
    )


WITHOUT = """
import importlib.metadata, sys

class Without:
    def find_spec(self, name, *args):
        if name == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

def version(name, installed=importlib.metadata.version):
    if name == {name!r}:
        raise importlib.metadata.PackageNotFoundError(name)
    return installed(name)

sys.meta_path.insert(0, Without())
importlib.metadata.version = version
import airflow_provider_twinsync.{room}
"""


@pytest.mark.parametrize(
    ("name", "module", "room"),
    [
        (HTTP, "airflow.providers.http", "senders"),
        (COMPAT, "airflow.providers.common.compat", "operators"),
    ],
)
def test_what_is_not_installed(name: str, module: str, room: str, tmp_path: Path) -> None:
    """As with `--no-deps`."""
    assert last_line(tmp_path, WITHOUT.format(name=name, module=module, room=room)) == (
        f"ImportError: {OURS}{WANTED[name]} (here: none). Mend it with: pip install '{WANTED[name]}'"
    )


def test_a_release_candidate_counts_as_its_release(tmp_path: Path) -> None:
    """People test with them; to pip they are older."""
    installed(tmp_path, AIRFLOW, "2.11.0rc1")
    code = "from airflow_provider_twinsync.requirements import unmet; raise SystemExit(unmet() or 1)"
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, timeout=120)
    assert done.returncode == 1
    assert not done.stderr


def test_another_mistake_is_not_taken_for_one_of_these(tmp_path: Path) -> None:
    """Where nothing is too old, the error is the one that came."""
    module(tmp_path, "airflow.providers.common.compat.sdk", "import nothing_of_this_name")
    said = last_line(tmp_path, "import airflow_provider_twinsync.hooks")
    assert said == "ModuleNotFoundError: No module named 'nothing_of_this_name'"
