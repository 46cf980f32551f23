"""The demo as a newcomer runs it: real processes, a real Airflow, and nothing left afterwards."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import av
import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency
import pytest

from airflow_provider_twinsync.emulator.speech import duration_s, syllables
from airflow_provider_twinsync.text import split_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.whole_airflow

CHECKOUT = Path(__file__).resolve().parents[2]
END_TIMEOUT_S = 120.0
TIME_LIMIT_S = 600.0  # for a demo as a whole: one that says nothing more is killed


class RunningDemo:
    """`python -m dev` in a session of its own, as a terminal's foreground job is."""

    def __init__(self, folder: Path, *options: str, **env: str) -> None:
        command = [sys.executable, "-m", "dev", "--output", str(folder / "videos")]
        self.process = subprocess.Popen(
            [*command, "--home", str(folder / "airflow"), *options],
            cwd=CHECKOUT,
            # A user's own Airflow and the arguments of the `make` around this test must not reach the demo.
            env={k: v for k, v in os.environ.items() if not k.startswith("DEMO_")}
            | {"AIRFLOW_HOME": "/nonexistent", "AIRFLOW__CORE__EXECUTOR": "NoSuchExecutor"}
            | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )
        self.output = ""
        self.sessions = {self.process.pid}
        self._limit = threading.Timer(TIME_LIMIT_S, os.killpg, [self.process.pid, signal.SIGKILL])
        self._limit.daemon = True
        self._limit.start()

    @property
    def keeper(self) -> psutil.Process:
        [keeper] = psutil.Process(self.process.pid).children()
        return keeper

    def read_until(self, pattern: str) -> None:
        """Read lines up to one that matches, and take note of who is running then."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if re.search(pattern, line):
                self.sessions |= {child.pid for child in psutil.Process(self.process.pid).children()}
                return
        pytest.fail(f"no line matches {pattern!r} in:\n{self.output}")

    def end(self) -> int:
        """Read to the end; give the status."""
        assert self.process.stdout is not None
        self.output += self.process.stdout.read()
        try:
            return self.process.wait(END_TIMEOUT_S)
        finally:
            self._limit.cancel()

    def running(self) -> list[str]:
        """The living processes of the demo and of all that it started."""
        found = []
        for process in psutil.process_iter(["pid", "cmdline", "status"]):
            try:
                session = os.getsid(process.pid)
            except OSError:
                continue
            if session in self.sessions and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.info["cmdline"] or ["?"]))
        return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RunningDemo]]:
    demos = []

    def start(*options: str, **env: str) -> RunningDemo:
        demos.append(RunningDemo(tmp_path, *options, **env))
        return demos[-1]

    yield start
    for demo in demos:
        if demo.process.poll() is None:
            demo.process.terminate()
        demo.end()


def states(output: str, task: str) -> list[str]:
    return re.findall(rf"^ *[\d.]+ s +{task} +(\w+)$", output, re.MULTILINE)


def in_order(wanted: list[str], found: list[str]) -> bool:
    remaining = iter(found)
    return all(state in remaining for state in wanted)


def files_with_the_key(home: Path) -> list[str]:
    """Where the emulator's key is; the emulator prints it as its first line."""
    key = re.search(rb" with key (\S+)\n", (home / "logs" / "emulator.log").read_bytes())
    assert key
    files = [path for path in home.rglob("*") if path.is_file()]
    assert home / "airflow.db" in files
    assert any("task_id=video" in str(path) for path in files)
    return [str(path.relative_to(home)) for path in files if key[1] in path.read_bytes()]


def test_the_demo_makes_the_video_and_shows_how(start: Callable[..., RunningDemo], tmp_path: Path) -> None:
    """Every change of state is shown; the file is the one that is reported; nothing is left running."""
    text = 'Hello, $HOME "world"\n你好'
    demo = start("--text", text)
    demo.read_until(r"DAG run")
    running = "\n".join(demo.running())
    for part in ("emulator", "scheduler", "dag-processor", "triggerer", "api_server", "LocalExecutor"):
        assert part in running
    [emulator] = [p for p in demo.keeper.children() if "airflow_provider_twinsync.emulator" in p.cmdline()]
    assert str(tmp_path / "airflow.lock") in [file.path for file in emulator.open_files()]
    assert demo.end() == 0, demo.output

    assert text in demo.output
    # The second run of the worker takes a tenth of a second, and the demo polls less often.
    assert in_order(["running", "deferred", "success"], states(demo.output, "video")), demo.output
    [video] = (tmp_path / "videos").iterdir()
    assert hashlib.sha256(video.read_bytes()).hexdigest() in demo.output
    assert f"{video.stat().st_size:,} bytes" in demo.output
    assert str(video) in demo.output
    with av.open(str(video)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        assert container.duration is not None
        assert f"{container.duration / 1_000_000:.2f} s" in demo.output
        assert sum(1 for _ in container.decode(video=0)) > 10
    assert demo.running() == []
    assert files_with_the_key(tmp_path / "airflow") == ["logs/emulator.log"]


def test_a_long_text_of_a_file_becomes_one_video(start: Callable[..., RunningDemo], tmp_path: Path) -> None:
    """Of two jobs. The terminal shows the beginning of the text, and not all of it."""
    text = 20 * "A photo learns to speak a long text. "
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    demo = start("--text", f"@{tmp_path}/text.txt")
    assert demo.end() == 0, demo.output
    assert "(160 words of " in demo.output
    assert demo.output.count("A photo learns to speak a long text.") < 3
    assert re.search(r"(?m)^Parts +2\b", demo.output)
    [video] = (tmp_path / "videos").iterdir()
    with av.open(str(video)) as container:
        spoken_s = sum(duration_s(syllables(part)) for part in split_text(text))
        assert container.duration == pytest.approx(spoken_s * 1_000_000, abs=500_000)


def test_a_run_that_fails_shows_the_log_of_the_task(start: Callable[..., RunningDemo]) -> None:
    """A photo that cannot be fetched fails the job, the wait, the run and the command."""
    demo = start("--photo", "http://127.0.0.1:1/nobody.jpg")
    demo.read_until(r"DAG run")
    assert demo.end() == 1, demo.output
    assert states(demo.output, "video")[-1] == "failed"
    assert "Log of video:" in demo.output
    assert re.search(r"error +Task failed", demo.output), demo.output
    assert "SHA-256" not in demo.output
    assert "airflow_errors" not in demo.output
    assert demo.running() == []


def test_ctrl_c_in_the_middle_of_a_run_leaves_nothing(start: Callable[..., RunningDemo]) -> None:
    """Ctrl-C reaches the whole foreground job; all its processes end with it."""
    demo = start()
    demo.read_until(r"video +deferred")
    os.killpg(demo.process.pid, signal.SIGINT)
    assert demo.end() == 130, demo.output
    assert "Traceback" not in demo.output
    assert demo.running() == []


def test_a_demo_that_is_killed_leaves_nothing_and_can_be_run_again(
    start: Callable[..., RunningDemo],
) -> None:
    """Even after kill -9, and at once: the next demo waits for the end of the killed one's processes."""
    killed = start()
    killed.read_until(r"emulator +http")
    killed.process.kill()
    killed.end()
    following = start("--stay")
    following.read_until(r"emulator +http")
    assert killed.running() == []
    following.process.terminate()
    assert following.end() == 128 + signal.SIGTERM
    assert following.running() == []


def test_a_demo_whose_keeper_is_killed_leaves_nothing(start: Callable[..., RunningDemo]) -> None:
    """The demo ends in the keeper's place what that had started."""
    demo = start()
    demo.read_until(r"video +deferred")
    assert len(demo.running()) > 6
    demo.keeper.kill()
    assert demo.end() == 1, demo.output
    assert "keeper ended with status -9" in demo.output
    assert "Traceback" not in demo.output
    assert demo.running() == []


def test_ctrl_c_during_the_imports_is_no_crash(start: Callable[..., RunningDemo], tmp_path: Path) -> None:
    (tmp_path / "requests.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    demo = start(PYTHONPATH=str(tmp_path))
    demo.read_until("importing")
    os.killpg(demo.process.pid, signal.SIGINT)
    assert demo.end() == 130, demo.output
    assert "Traceback" not in demo.output


LONG = 300 * "a"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--photo", "no/such/file.jpg"], "there is no photo no/such/file.jpg"),
        (["--photo", "Makefile"], "Makefile cannot be used as a photo"),
        (["--photo", LONG], LONG),
        (["--photo", "~nouserx/a.jpg"], "~nouserx/a.jpg cannot be read as a photo"),
        (["--photo", "{tmp}/unreadable.jpg"], "/unreadable.jpg cannot be read as a photo: Permission denied"),
        (["--text", "@no/such/file.txt"], "@no/such/file.txt cannot be read as a text"),
        (["--text", "@"], "@ cannot be read as a text"),
        (["--text", f"@{LONG}"], LONG),
        (["--text", "@example_dags/portrait.jpg"], "@example_dags/portrait.jpg is not a text in UTF-8"),
        (["--text", "@{tmp}/unreadable.jpg"], "/unreadable.jpg cannot be read as a text"),
        (["--text", "@{tmp}/empty.txt"], "/empty.txt is empty"),
        (["--output", "Makefile"], "Makefile"),
        (["--output", "Makefile/videos"], "Makefile/videos"),
        (["--home", "Makefile/airflow"], "Makefile"),
        (["--home", "{tmp}/unreadable.jpg"], "/unreadable.jpg"),
    ],
)
def test_a_path_that_cannot_be_used_is_refused(
    start: Callable[..., RunningDemo], tmp_path: Path, options: list[str], message: str
) -> None:
    """With one line that names it."""
    (tmp_path / "empty.txt").write_text(" \n", encoding="utf-8")
    unreadable = tmp_path / "unreadable.jpg"
    unreadable.touch(mode=0o200)
    if message.startswith("/unreadable.jpg cannot") and os.access(unreadable, os.R_OK):
        pytest.skip("root can read everything")
    demo = start(*(option.format(tmp=tmp_path) for option in options))
    assert demo.end() == 1
    [error] = [line for line in demo.output.splitlines() if line.startswith("error: ")]
    assert message in error
    assert demo.output.endswith(f"\n{error}\n")
    assert "Traceback" not in demo.output
