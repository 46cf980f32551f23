"""`make demo` and `make airflow`: the example DAG on a real Airflow, with the emulator as TwinSync.

`python -m dev` runs it (`dev/__main__.py`).

The text, the photo and the voice come as options or, from make, in the environment: a text may hold quotes,
dollar signs and newlines, which no shell should see.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import sys
import textwrap
import time
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_twinsync.text import count_words
from dev import CHECKOUT
from dev.airflow.api import AirflowApiError
from dev.airflow.emulated_twinsync import EmulatedTwinSync, PhotoError, order_emulator, wait_for_emulator
from dev.airflow.processes import ProcessDiedError
from dev.airflow.world import USER, AirflowWorld, AirflowWorldError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DAG_ID = "twinsync_talking_photo"
DAGS_FOLDER = CHECKOUT / "example_dags"
TEXT = "你好，我是会说话的照片数字人"
PHOTO = DAGS_FOLDER / "portrait.jpg"
VOICE = "zh-CN-XiaohanNeural"
RUN_TIMEOUT_S = 300.0
SHOWN_CHARACTERS = 60  # of a text from a file
POLL_S = 0.1  # often enough to see a state that lasts for a moment


class DemoError(Exception):
    """The demo cannot go on; the message is for the user."""


# An OSError is mostly about a path that was given, and its message names it.
EXPECTED = (DemoError, PhotoError, AirflowApiError, AirflowWorldError, ProcessDiedError, OSError)


class Clock:
    """Print events, with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def say(self, message: str) -> None:
        """Print one line."""
        print(f"{time.monotonic() - self._start:6.1f} s  {message}", flush=True)


@dataclass(frozen=True)
class Demo:
    """The arguments of the command.

    :param given_text: the text, or `@` and the name of a file with it.
    """

    given_text: str
    photo: str
    voice: str
    output: Path
    home: Path

    @property
    def photo_file(self) -> Path | None:
        """The photo's file, or nothing if it is an address."""
        return None if "://" in self.photo else Path(self.photo).expanduser()

    @cached_property
    def text(self) -> str:
        """The text, or the content of its file.

        :raises DemoError: if the file cannot be read, or is empty.
        """
        if not self.given_text.startswith("@"):
            return self.given_text
        name = self.given_text[1:]
        try:
            text = Path(name).expanduser().read_text(encoding="utf-8-sig").strip()
        except UnicodeDecodeError as e:
            raise DemoError(f"@{name} is not a text in UTF-8: {e.reason} at byte {e.start}") from None
        except (
            OSError,
            RuntimeError,
            ValueError,
        ) as e:  # RuntimeError: as of a photo; ValueError: a null byte
            raise DemoError(
                f"@{name} cannot be read as a text (TEXT=@FILE reads a file): {getattr(e, 'strerror', e)}"
            ) from None
        if not text:
            raise DemoError(f"@{name} is empty: TEXT=@FILE reads a file")
        return text

    @property
    def shown_text(self) -> str:
        """The text; of a file the beginning, and the number of words."""
        if self.text == self.given_text:
            return self.text
        begin = textwrap.shorten(self.text, SHOWN_CHARACTERS, placeholder=" …")
        return f"{begin} ({count_words(self.text):,} words of {self.given_text[1:]})"

    def check(self) -> None:
        """Check the arguments before anything starts."""
        self.text  # noqa: B018  # reads the file
        try:
            file = self.photo_file
            if file and not file.is_file():
                raise DemoError(f"there is no photo {file} (PHOTO is a file, or an http(s) address)")
            if file:
                file.open("rb").close()
        except (OSError, RuntimeError) as e:  # RuntimeError: `~name` where nobody has that name
            raise DemoError(f"{self.photo} cannot be read as a photo: {getattr(e, 'strerror', e)}") from None

    @contextlib.contextmanager
    def world(
        self, clock: Clock, dag_id: str = DAG_ID, **emulated: Any
    ) -> Iterator[tuple[AirflowWorld, EmulatedTwinSync, str]]:
        """Start Airflow and the emulator, and return them with the photo's address when they are healthy.

        :param emulated: more options of the emulator.
        """
        clock.say("starting the TwinSync emulator and Airflow (a moment, please)")
        with AirflowWorld(self.home, DAGS_FOLDER) as airflow:
            photos = "local" if self.photo_file else "any"
            # Longer than a busy machine takes from the submit to the first look, or nothing is deferred.
            order_emulator(airflow.processes, waiting_s=2, duration_s=6, photos=photos, **emulated)
            airflow.prepare()
            emulator = wait_for_emulator(airflow.processes)
            image_url = emulator.upload(self.photo_file) if self.photo_file else self.photo
            clock.say(f"emulator    {emulator.url}")
            airflow.start(env=emulator.connection)
            clock.say(
                f"Airflow     {airflow.url} (scheduler, DAG processor, triggerer and API server are healthy)"
            )
            airflow.wait_for_dag(dag_id)
            airflow.api.unpause(dag_id)
            try:
                yield airflow, emulator, image_url
            except EXPECTED:
                logs = short(str(airflow.processes.log_folder))
                clock.say(f"something went wrong; Airflow's own logs are in {logs}")
                raise


def run(demo: Demo) -> None:
    """Make one video, and show how.

    :raises DemoError: if the run does.
    """
    clock = Clock()
    print(f"A photo learns to speak, in Airflow.\n\n  text   {demo.shown_text}")
    print(f"  photo  {short(demo.photo)}\n  voice  {demo.voice}\n", flush=True)
    demo.output.mkdir(parents=True, exist_ok=True)
    video = demo.output / f"talking-photo-{datetime.now().astimezone():%Y%m%d-%H%M%S}.mp4"
    with demo.world(clock) as (airflow, _, image_url):
        conf = {
            "text": demo.text,
            "image_url": image_url,
            "pronouncer": demo.voice,
            "destination": str(video),
        }
        run_id = follow(airflow, DAG_ID, conf, clock)
        receipt = airflow.api.xcom(DAG_ID, run_id, "video")
        clock.say("stopping Airflow and the emulator")
    clock.say("stopped")
    show(video, receipt)


def follow(airflow: AirflowWorld, dag_id: str, conf: dict[str, Any], clock: Clock) -> str:
    """Start a run, print every change of a task's state until it has ended, and return its id.

    :raises DemoError: if it does not succeed; the message holds the failed tasks' logs.
    """
    run_id = airflow.api.trigger(dag_id, conf)
    clock.say(f"DAG run     {dag_id} {run_id}")
    seen: dict[str, str | None] = {}
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while True:
        run_state = airflow.api.run_state(dag_id, run_id)
        tasks = airflow.api.task_states(dag_id, run_id)
        for task in tasks:
            if task.state and seen.get(task.name) != task.state:
                seen[task.name] = task.state
                clock.say(f"  {task.name:9} {task.state}")
        if run_state == "success":
            return run_id
        failed = [task for task in tasks if task.state == "failed"]
        late = time.monotonic() > deadline
        if run_state == "failed" or late:
            shown = failed or [task for task in tasks if task.try_number]
            logs = [f"Log of {task.name}:\n{airflow.api.logs(dag_id, run_id, task)}" for task in shown]
            end = f"is not done after {RUN_TIMEOUT_S:.0f} s" if late else "failed"
            raise DemoError("\n\n".join([f"the run {end}.", *logs]))
        airflow.processes.check()
        time.sleep(POLL_S)


def show(video: Path, receipt: dict[str, Any]) -> None:
    """Print the results of the run.

    :raises DemoError: if the file is not the one that the `video` task has reported.
    """
    import av

    sha256 = hashlib.sha256(video.read_bytes()).hexdigest()
    size = video.stat().st_size
    if (sha256, size) != (receipt["sha256"], receipt["bytes"]):
        raise DemoError(f"{video} has {size} bytes and SHA-256 {sha256}; `video` reported {receipt}")
    with av.open(str(video)) as container:
        length_s = (container.duration or 0) / 1_000_000
        streams = ", ".join(stream.codec_context.name for stream in container.streams)
    print(f"\nVideo    {short(str(video))}\nLength   {length_s:.2f} s ({streams})")
    if (parts := receipt["parts"]) > 1:
        print(f"Parts    {parts}: one job each, joined into this video")
    print(f"Size     {size:,} bytes\nSHA-256  {sha256} (as the `video` task reported)", flush=True)


def stay(demo: Demo) -> NoReturn:
    """Leave the world running until Ctrl-C."""
    clock = Clock()
    with demo.world(clock) as (airflow, _, image_url):
        print(
            f"\nWeb UI   {airflow.url}\nLogin    {USER} / {airflow.password}\n\n"
            f"Open the DAG {DAG_ID} and press Trigger; a photo that the emulator knows:\n  {image_url}\n"
            f"Logs are in {short(str(airflow.processes.log_folder))}. Ctrl-C ends everything.",
            flush=True,
        )
        while True:
            airflow.processes.check()
            time.sleep(0.5)


def short(path: str) -> str:
    """Return a path as one would type it here."""
    with contextlib.suppress(ValueError):
        return str(Path(path).relative_to(Path.cwd()))
    return path


def _arguments(argv: Sequence[str] | None) -> tuple[bool, str, Demo]:
    def given(name: str) -> str:
        return os.environ.get(f"DEMO_{name}", "")

    parser = argparse.ArgumentParser(prog="python -m dev", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stay", action="store_true", help="run nothing; leave Airflow running until Ctrl-C")
    parser.add_argument(
        "--text", default=given("TEXT") or TEXT, help="what the photo says; @FILE reads it from a file"
    )
    parser.add_argument("--photo", default=given("PHOTO") or str(PHOTO), help="an image file, or an address")
    parser.add_argument("--voice", default=given("VOICE") or VOICE, help="the voice, such as %(default)s")
    parser.add_argument("--output", type=Path, default=CHECKOUT / "demo-output", help="folder for the MP4")
    parser.add_argument("--home", type=Path, help="Airflow's folder; what is in it is removed")
    parser.add_argument("--sheet", default=given("SHEET"), help="a sheet with a row for each video")
    args = parser.parse_args(argv)
    home = args.home or CHECKOUT / ".airflow" / ("ui" if args.stay else "demo")
    demo = Demo(args.text, args.photo, args.voice, args.output.resolve(), home)
    return args.stay, args.sheet, demo


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    to_stay, sheet, demo = _arguments(argv)
    try:
        demo.check()
        if to_stay:
            stay(demo)
        if sheet:
            from dev.sheet_demo import SheetDemo

            SheetDemo(Path(sheet), demo).run()
        else:
            run(demo)
    except BrokenPipeError:  # the reader has had enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except EXPECTED as e:
        print(f"\nerror: {e}", file=sys.stderr)
        return 1
    return 0
