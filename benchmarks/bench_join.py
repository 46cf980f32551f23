"""Measure the time and the memory of joining the parts of a long text.

The emulator renders one part of 150 words, of about a minute; the benchmark joins it to itself, many times:

* ``TwinSync``: through ``join``, which copies the packets, gives them new times, and checks the result,
* ``PyAV``: each packet of each part, moved by the lengths of the parts before it, and nothing else,
* ``ffmpeg -c copy``: the program with its ``concat`` demuxer; only if it is there (or named by ``FFMPEG``),
* ``encoded again``: through ``join``, with a last part of another size. There is no target for it.

One after the other in each round, with medians of the rounds. All write the index in front. The target is at
most 1.5 of ``ffmpeg -c copy``, or of ``PyAV`` without it.

Memory: the most that a fresh process ever held, after a join of two parts and after one of all. The target
is at most 16 MB for the other parts.

    python benchmarks/bench_join.py [--parts 20] [--rounds 7]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av

from airflow_provider_twinsync._content.joined.join import join
from airflow_provider_twinsync.emulator.video import render

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET_RATIO = 1.5
TARGET_MB = 16.0
OURS, PYAV, FFMPEG, AGAIN = "TwinSync", "PyAV", "ffmpeg -c copy", "encoded again"
TEXT = " ".join(["A talk has many sentences, and each of them is spoken slowly."] * 14)


def join_plainly(parts: list[Path], joined: Path) -> None:
    """Copy all packets with PyAV, with no care for gaps, lead-ins and the order of times."""
    begin_s = 0.0
    with av.open(str(joined), "w", options={"movflags": "+faststart"}) as out:
        streams: list[av.stream.Stream] = []
        for path in parts:
            with av.open(str(path)) as container:
                streams = streams or [out.add_stream_from_template(stream) for stream in container.streams]
                for packet in container.demux():
                    if packet.dts is None or (begin_s and packet.is_discard):
                        continue
                    shift = round(begin_s / packet.time_base)
                    packet.pts += shift
                    packet.dts += shift
                    packet.stream = streams[packet.stream.index]
                    out.mux(packet)
                begin_s += container.duration / av.time_base


def join_with_ffmpeg(program: str, parts: list[Path], joined: Path) -> None:
    """Copy all packets with the program."""
    names = joined.with_suffix(".txt")
    names.write_text("".join(f"file '{path}'\n" for path in parts), encoding="utf-8")
    options = ["-f", "concat", "-safe", "0", "-i", names, "-c", "copy", "-movflags", "+faststart", joined]
    subprocess.run([program, "-v", "error", "-y", *options], check=True, stdin=subprocess.DEVNULL)


def seconds(act: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def peak_mb(part: Path, count: int) -> float:
    """Return the most memory of a process that joins a part to itself."""
    command = [sys.executable, __file__, "--memory", str(part), "--parts", str(count)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def judged(value: float, target: float) -> str:
    """Return whether a target is reached, and by how much it is not."""
    return "reached" if value <= target else f"NOT reached by {value - target:.2f}"


def run(count: int, rounds: int) -> None:
    """Measure and print a table, and whether the targets are reached."""
    program = os.environ.get("FFMPEG") or shutil.which("ffmpeg")
    with tempfile.TemporaryDirectory(prefix="twinsync-bench-") as folder:
        part, other, joined = (Path(folder, name) for name in ("part.mp4", "other.mp4", "joined.mp4"))
        part.write_bytes(
            render(text=TEXT, pronouncer="en-US-JennyNeural", photo=None, should_stop=lambda: False)
        )
        join_smaller(part, other)
        parts = [part] * count
        cases: dict[str, Callable[[], object]] = {
            OURS: lambda: join(parts, joined),
            PYAV: lambda: join_plainly(parts, joined),
        }
        if program:
            cases[FFMPEG] = lambda: join_with_ffmpeg(program, parts, joined)
        found: dict[str, list[float]] = {case: [] for case in cases}
        for act in cases.values():
            act()  # once, for the imports and the cache of the disk
        for _ in range(rounds):
            for case, act in cases.items():
                found[case].append(seconds(act))
        found[AGAIN] = [seconds(lambda: join([part, other], joined))]
        length_s, size_mb = join(parts, joined).duration_s, joined.stat().st_size / 1e6
        added_mb = peak_mb(part, count) - peak_mb(part, 2)
    print(f"{count} parts, {length_s:,.0f} s, {size_mb:.0f} MB, {rounds} rounds (av {av.__version__})")
    print(f"{'':<20}{'median s':>10}{'fastest':>9}{'slowest':>9}{'TwinSync is':>13}")
    for case, rows in found.items():
        median = statistics.median(rows)
        of = "" if case == AGAIN else f"{statistics.median(found[OURS]) / median:.2f}x"
        note = "   (two parts)" if case == AGAIN else ""
        print(f"{case:<20}{median:>10.3f}{min(rows):>9.3f}{max(rows):>9.3f}{of:>13}{note}")
    least = FFMPEG if program else PYAV
    ratio = statistics.median(found[OURS]) / statistics.median(found[least])
    print(f"Target: at most {TARGET_RATIO} of {least}. It is {ratio:.2f}: {judged(ratio, TARGET_RATIO)}.")
    print(
        f"Target: at most {TARGET_MB:.0f} MB of peak memory for {count - 2} more parts. It is "
        f"{added_mb:.1f} MB: {judged(added_mb, TARGET_MB)}."
    )


def join_smaller(part: Path, other: Path) -> None:
    """Write the pictures of a part in another size, without sound."""
    with av.open(str(part)) as container, av.open(str(other), "w") as out:
        stream = out.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        for number, frame in enumerate(container.decode(video=0)):
            smaller = frame.reformat(width=256, height=256)
            smaller.pts = number
            smaller.time_base = Fraction(1, 12)
            out.mux(stream.encode(smaller))
        out.mux(stream.encode())


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", type=int, default=20, help="how many parts (default: 20)")
    parser.add_argument("--rounds", type=int, default=7, help="joins of each case (default: 7)")
    parser.add_argument("--memory", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory:
        with tempfile.TemporaryDirectory() as folder:
            join([arguments.memory] * arguments.parts, Path(folder, "joined.mp4"))
        status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        print(next(int(line.split()[1]) * 1_024 / 1e6 for line in status if line.startswith("VmHWM:")))
    else:
        run(arguments.parts, arguments.rounds)


if __name__ == "__main__":
    main()
