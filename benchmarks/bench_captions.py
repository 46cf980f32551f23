"""Measure how exactly captions begin: against the known times of the emulator, and of a voice that varies.

Texts of about 80 to 250 words in 8 languages. A sentence counts if its caption begins with it; a sentence
that is too short for a caption of its own shares one with its neighbour. The compared guess gives each one
a time in proportion to its length, as captions get it without sound. The target is 95 % within 0.3 s.

* ``emulator``: the voice of the emulator.
* ``person``: the speed differs by 15 % between sentences, by 20 % between words and with the letters of a
  word; some sentences have a short pause, or none; some clauses a long one; some words one before them.

Joined videos have two to four parts of a text, one behind the other, as the join places them.

    python benchmarks/bench_captions.py [--texts 8]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.films import make
from support.spoken import LANGUAGES, Script, film, heard_starts, script, spoken_by_a_person, starts_s

from airflow_provider_twinsync._content.captions.captions import Spoken, captions
from airflow_provider_twinsync._content.joined.join import join
from airflow_provider_twinsync.emulator import speech

TARGET = 0.95
IN_TIME_S = 0.3


def main() -> None:
    """Run the benchmark, and exit with 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--texts", type=int, default=8, help="texts of each language (default: 8)")
    texts = parser.parse_args().texts
    late_s: dict[str, list[float]] = defaultdict(list)
    cpu_s = video_s = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for language in LANGUAGES:
            for seed in range(texts):
                for voice in ("emulator", "person"):
                    parts = 1 + seed % 4
                    scripts = [
                        script(language, 100 * seed + part, (140, 40, 80, 20)[seed % 4])
                        for part in range(parts)
                    ]
                    path, spoken, true_s, length_s = filmed(
                        Path(folder), scripts, voice, f"{language} {seed}"
                    )
                    began_s = time.process_time()
                    found = captions(path, spoken, scripts[0].pronouncer)
                    cpu_s, video_s = cpu_s + time.process_time() - began_s, video_s + length_s
                    silent = Path(folder, "silent.mp4")
                    make(silent, count=1 + int(length_s), frames_per_s=1, size=(32, 32), rate=None)
                    guess = captions(silent, spoken, scripts[0].pronouncer)
                    sentences = [sentence for one in scripts for sentence in one.sentences]
                    many = "joined" if parts > 1 else "one part"
                    late_s[f"{voice}, {many}"] += heard_starts(sentences, true_s, found)
                    late_s[f"{voice}, {many}, in proportion"] += heard_starts(sentences, true_s, guess)
    cost_ms = cpu_s / video_s * 1000
    print(f"{len(LANGUAGES) * texts} texts for each voice, {cost_ms:.1f} ms of CPU a second of video")
    missed = False
    for name, late in late_s.items():
        share = sum(abs(one) <= IN_TIME_S for one in late) / len(late)
        middle_s = sorted(map(abs, late))[len(late) // 2]
        missed |= share < TARGET and "proportion" not in name
        print(
            f"{name:35} {len(late):5} sentences  {share:6.1%} within {IN_TIME_S} s  median {middle_s:.3f} s"
        )
    sys.exit(missed)


def filmed(
    folder: Path, scripts: list[Script], voice: str, seed: str
) -> tuple[Path, list[Spoken], list[float], float]:
    """Make a video of texts, and return the parts and when each sentence begins."""
    files, own_s = [], []
    for number, one in enumerate(scripts):
        is_person = voice == "person"
        spoken = spoken_by_a_person(one.text, f"{seed} {number}") if is_person else speech.syllables(one.text)
        files.append(folder / f"{number}.mp4")
        film(
            files[-1], spoken, None if is_person else partial(speech.sound, spoken, one.text, one.pronouncer)
        )
        own_s.append(starts_s(one.sentences, spoken))
    path = folder / "joined.mp4"
    joined = join(files, path)
    ends_s = [*joined.starts_s[1:], joined.duration_s]
    parts = [Spoken(one.text, *at) for one, *at in zip(scripts, joined.starts_s, ends_s, strict=True)]
    true_s = [part.start_s + at for part, starts in zip(parts, own_s, strict=True) for at in starts]
    return path, parts, true_s, joined.duration_s


if __name__ == "__main__":
    main()
