"""The quick start, typed as it is printed: commands, DAG file and emulator, in an Airflow that never ran."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.environment import AIRFLOW_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parents[2] / "docs"
#: Less than the 300 s after which a wait gives up that cannot read its connection.
TIME_LIMIT_S = 240.0


def expanded(page: Path) -> str:
    """A page with what it includes of others."""

    def included(match: re.Match[str]) -> str:
        other, start, end = match.groups()
        text = (page.parent / other).read_text(encoding="utf-8")
        assert text.count(start) == text.count(end) == 1
        return text.partition(start)[2].partition(end)[0]

    directive = r"```\{include\} (\S+)\n:start-after: (.+)\n:end-before: (.+)\n```"
    return re.sub(directive, included, page.read_text(encoding="utf-8"))


PAGE = expanded(DOCS / "quickstart.md")
COMMANDS = [
    command
    for block in re.findall(r"```console\n(.*?)```", PAGE, flags=re.S)
    for command in re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, flags=re.M)
]


def command(*words: str) -> str:
    """The only command of the page that has these words."""
    [found] = [one for one in COMMANDS if all(word in one for word in words)]
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where an Airflow that never ran has its files; the page's commands find this environment's programs."""
    (tmp_path / "dags").mkdir()
    return tmp_path


def run(typed: str, home: Path) -> str:
    """Type a command into a shell; gives what it prints."""
    done = subprocess.run(
        ["bash", "-c", typed],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def environment(home: Path) -> dict[str, str]:
    """As a user has it: nothing but the home of Airflow is set."""
    ours = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONUNBUFFERED": "1"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    return {**kept, **ours, "PATH": path}


@pytest.fixture
def emulator(home: Path) -> Iterator[subprocess.Popen[str]]:
    """The emulator, started as the page says; its port is fixed, so one test at a time has it."""
    typed = command("python -m airflow_provider_twinsync.emulator")
    with (Path(tempfile.gettempdir()) / "twinsync-quickstart.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            ["bash", "-c", f"exec {typed}"],
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first in PAGE, first + (process.stdout.read() if process.poll() else "")
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=30)


def dag_file() -> str:
    """The DAG of the page; on Airflow 2 with the other import that the page names."""
    [code] = re.findall(r"```python\n(.*?DAG\(.*?)```", PAGE, flags=re.S)
    if AIRFLOW_VERSION < (3, 0):
        code = re.sub(r"(?m)^from airflow\.sdk import DAG\b.*$", "from airflow import DAG", code)
    return str(code)


@pytest.mark.slow
def test_the_quick_start_makes_a_video_with_airflow_dags_test(home: Path, emulator: subprocess.Popen[str]):
    """And what it prints has no warning or error of this package, and no key."""
    [name] = set(re.findall(r"Save this as `(\w+\.py)`", PAGE))
    run(command("airflow db migrate"), home)
    run(command("airflow connections add", "127.0.0.1"), home)
    printed_folder = run("airflow config get-value core dags_folder", home).splitlines()[-1]
    assert Path(printed_folder) == home / "dags"
    code = dag_file()
    (home / "dags" / name).write_text(code, encoding="utf-8")
    [folder] = [Path(one).parent for one in re.findall(r'destination="([^"]+)"', code)]
    before = set(folder.glob("*"))

    printed = run(command("airflow dags test"), home)

    made = set(folder.glob("*")) - before
    videos = [path for path in made if str(path) in printed]
    try:
        assert [path.suffix for path in videos] == [".mp4"], printed
        assert videos[0].read_bytes()[4:8] == b"ftyp"
        assert "running trigger in line" in printed  # or nothing was waited for
        ours = [line for line in printed.splitlines() if "twinsync" in line.lower()]
        assert not [
            line for line in ours if re.search(r"(?i)\b(warning|error|critical)\b|Traceback", line)
        ], ours
        # Airflow 3.0 prints in its `dag.test()`, and nowhere else, what it is asked to mask.
        assert not [
            line for line in printed.splitlines() if "emulator-key" in line and "MaskSecret(" not in line
        ]
    finally:
        for path in videos:
            path.unlink()
