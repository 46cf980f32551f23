"""Check the parts of a video, and write its captions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._content.files import beside, write_file
from airflow_provider_twinsync._download.mp4 import duration_s
from airflow_provider_twinsync.exceptions import VideoRejectedError
from airflow_provider_twinsync.text import count_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_provider_twinsync._content.finished.options import Finishing, Script


def check_parts(
    files: Sequence[Path], finishing: Finishing, script: Script, destination: str
) -> dict[str, Any]:
    """Check the video of each job, and return the sum of the lengths, and the largest of the other numbers.

    Each part has a check of its own, so that another submit pays for the bad parts alone.

    :param destination: the address of the video, or its path; a rejected part is kept beside it, if the
        options ask for that.
    :raises VideoRejectedError: with the numbers of the bad parts, by their place, in ``parts``.
    """
    from airflow_provider_twinsync._content.finished.checking import check_video

    assert finishing.check  # noqa: S101  # for the type checker
    found: list[dict[str, Any]] = []
    rejected: dict[int, VideoRejectedError] = {}
    for at, file in enumerate(files):
        words, characters = _size(script, files, at)
        size: dict[str, Any] = {"words": words, "characters": characters, "pronouncer": script.pronouncer}
        try:
            found.append(check_video(file, finishing.check, **size))
        except VideoRejectedError as error:
            part = f"part-{at + 1}." if len(files) > 1 else ""
            if part:
                error.put_subject(f"Part {at + 1} of {len(files)}")
            if finishing.check.keep_rejected:
                error.path = write_file(beside(destination, f".{part}rejected.mp4"), file)
            rejected[at] = error
    if rejected:
        raise _merged(rejected)
    names = {name for numbers in found for name in numbers}
    merged = {name: max(numbers[name] for numbers in found if name in numbers) for name in sorted(names)}
    return merged | {"length_s": round(sum(numbers["length_s"] for numbers in found), 3)}


def _merged(rejected: dict[int, VideoRejectedError]) -> VideoRejectedError:
    """Return one error with the numbers of all bad parts."""
    first, *others = rejected.values()
    message = " ".join([str(first), *(str(one).partition(" ")[2] for one in others)])
    error = VideoRejectedError(message, checks=first.checks)
    error.parts = {at: one.checks for at, one in rejected.items()}
    error.path = first.path
    return error


def _size(script: Script, files: Sequence[Path], at: int) -> tuple[int | None, int]:
    """Return the words and the characters that a file speaks."""
    if len(files) == 1:
        return script.words, sum(map(len, script.parts))
    if len(script.parts) != len(files):
        return None, 0
    return count_words(script.parts[at]), len(script.parts[at])


def make_captions(
    video: Path, starts_s: Sequence[float], finishing: Finishing, script: Script
) -> tuple[Path, dict[str, bytes | None]]:
    """Make the captions of a video, and return the video, and the file of each kind; it is not written yet.

    With ``mov_text`` the returned video is a new file, which has the captions: the kind has no other file.

    :param starts_s: when each part begins in the video, in seconds.
    :raises DownloadRefusedError: the text is not this video's, or the video cannot be decoded.
    :raises DownloadInterruptedError: a file cannot be read or written.
    """
    from airflow_provider_twinsync._content.captions.captions import Spoken, captions
    from airflow_provider_twinsync._content.captions.file import caption_file

    with video.open("rb") as file:
        length_s = duration_s(file, video.stat().st_size) or 0.0
    texts = script.parts if len(script.parts) == len(starts_s) else ["".join(script.parts)]
    begins = [*starts_s[: len(texts)], length_s]
    spoken = [Spoken(text, *times) for text, *times in zip(texts, begins, begins[1:], strict=False)]
    lines = captions(video, spoken, script.pronouncer or "")
    files: dict[str, bytes | None] = {}
    for kind in finishing.captions:
        if kind != "mov_text":
            files[kind] = caption_file(lines, kind)
        else:
            from airflow_provider_twinsync._content.captions.embed import embed

            embedded = video.with_name("captioned.mp4")
            embed(video, lines, script.pronouncer or "", embedded)
            video, files[kind] = embedded, None
    return video, files
