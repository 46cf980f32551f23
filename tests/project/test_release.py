"""`make dist` refuses a release that is not right. That it takes the right one is seen in `.ci/run`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml  # type: ignore[import-untyped]  # its types are another package

from airflow_provider_twinsync import get_provider_info

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKOUT = Path(__file__).resolve().parents[2]
COPIED = (
    "airflow_provider_twinsync",
    "dev",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    ".gitignore",
)

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None or not (CHECKOUT / "airflow_provider_twinsync").is_dir(),
    reason="needs git, and the sources",
)


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=tests", "-c", "user.email=tests@example.com")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the files of a release."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in COPIED:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    return folder


@pytest.fixture
def error(repository: Path) -> Callable[..., str]:
    """Commit, run the command, and give what it says when it refuses."""

    def error(*options: str) -> str:
        git(repository, "commit", "--quiet", "--all", "--message=All")
        command = [sys.executable, "-m", "dev.release", "--constraints", "none.txt", *options]
        done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=300)
        assert done.returncode == 1, done.stdout + done.stderr
        assert not (repository / "dist").exists()
        return done.stderr

    return error


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_version_that_the_changelog_does_not_know(repository: Path, error: Callable[..., str]) -> None:
    """Or an older one."""
    replace(repository / "airflow_provider_twinsync" / "__init__.py", '__version__ = "', '__version__ = "99.')
    message = error()
    assert "the version is 99." in message
    assert "CHANGELOG.md begins with '## [" in message


def test_a_tag_of_another_version(error: Callable[..., str]) -> None:
    assert "the tag is v99.0, but the version is " in error("--tag", "v99.0")


def test_a_release_without_a_date(repository: Path, error: Callable[..., str]) -> None:
    """The changelog says when."""
    text = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    version = text.partition("## [")[2].partition("]")[0]
    begin = text.index(f"## [{version}]")
    heading = text[begin : text.index("\n", begin)]
    replace(repository / "CHANGELOG.md", heading, f"## [{version}] - soon")
    assert f"a release has a date, but CHANGELOG.md says '## [{version}] - soon'" in error(
        "--tag", f"v{version}"
    )


def test_a_file_that_is_not_in_the_repository(repository: Path, error: Callable[..., str]) -> None:
    """It would be released from this machine and from no other."""
    stray = repository / "airflow_provider_twinsync" / "notes.txt"
    stray.write_text("mine\n", encoding="utf-8")
    git(repository, "reset", "--quiet", str(stray))
    message = error()
    assert "airflow_provider_twinsync/notes.txt does not belong there" in message
    assert "is missing" not in message


def test_a_wheel_without_its_type_marker(repository: Path, error: Callable[..., str]) -> None:
    (repository / "airflow_provider_twinsync" / "py.typed").unlink()
    assert "airflow_provider_twinsync/py.typed is missing" in error()


@pytest.mark.slow
def test_a_package_without_one_of_its_modules(repository: Path, error: Callable[..., str]) -> None:
    """The build leaves out ignored files, even if they are in the repository."""
    with (repository / ".gitignore").open("a", encoding="utf-8") as ignored:
        ignored.write("exchange.py\n")
    assert "airflow_provider_twinsync/_api/exchange.py is missing" in error()


BUILD_HOOK = """
import time
from pathlib import Path
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

class Hook(BuildHookInterface):
    def initialize(self, version, build_data):
        found = Path(self.root, "airflow_provider_twinsync", "py.typed")
        found.write_text(WHAT)
"""


@pytest.mark.parametrize("what", ["str(time.time_ns())", "self.root"])
def test_a_wheel_that_is_another_one_each_time(
    repository: Path, error: Callable[..., str], what: str
) -> None:
    """It holds the time or the folder of its build."""
    (repository / "hatch_build.py").write_text(BUILD_HOOK.replace("WHAT", what), encoding="utf-8")
    git(repository, "add", "hatch_build.py")
    with (repository / "pyproject.toml").open("a", encoding="utf-8") as project:
        project.write("\n[tool.hatch.build.targets.wheel.hooks.custom]\n")
    message = error()
    assert "another file when it is built from a copy of the tree" in message
    assert "airflow_provider_twinsync/py.typed" in message


def test_a_readme_that_cannot_be_shown(repository: Path, error: Callable[..., str]) -> None:
    """The tools' own refusals are passed on: twine's for one."""
    replace(
        repository / "pyproject.toml",
        'readme = "README.md"',
        'readme = {file = "LICENSE", content-type = "text/x-rst"}',
    )
    assert "twine check --strict" in error()


def test_the_registry_is_told_of_every_class_that_a_dag_author_uses() -> None:
    """Each that a public room defines, under the name by which it is imported."""
    listed = yaml.safe_load((CHECKOUT / ".airflow-registry.yaml").read_text(encoding="utf-8"))
    info = get_provider_info()
    assert listed["package-name"] == info["package-name"]
    assert listed["display-name"] == info["name"]
    assert listed["description"] == info["description"]
    for kind in ("hooks", "operators", "sensors", "triggers"):
        [room] = info[kind][0]["python-modules"]
        defined = {
            f"{room}.{name}"
            for name, value in vars(import_module(room)).items()
            if isinstance(value, type) and value.__module__.startswith(room) and name.startswith("TwinSync")
        }
        assert {entry["module"] for entry in listed[kind]} == defined
