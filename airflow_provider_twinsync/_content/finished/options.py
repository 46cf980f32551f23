"""The work on a downloaded video before it is stored: its check, its captions and its poster."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import shown_text
from airflow_provider_twinsync._content.extra import needs_content
from airflow_provider_twinsync._content.finished.video_check import VideoCheck
from airflow_provider_twinsync.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The kinds of captions: two kinds of files beside the video, and a stream in it.
KINDS = ("srt", "vtt", "mov_text")


@dataclass(frozen=True)
class Finishing:
    """The options of a finished video; without any, the download is stored as it is.

    >>> bool(Finishing()), Finishing.of(captions="srt", check=True).check
    (False, VideoCheck(...))

    :param captions: some of :data:`KINDS` (default none).
    :param poster: write a poster (default False).
    :param check: the limits of the check (default None: no check).
    """

    captions: tuple[str, ...] = ()
    poster: bool = False
    check: VideoCheck | None = None

    @classmethod
    def of(cls, *, captions: Any = (), poster: bool = False, check: bool | VideoCheck = False) -> Finishing:
        """Read the arguments of an operator.

        :param captions: a list or a tuple of kinds, or a text of them, such as ``srt,vtt``.
        :param poster: write a poster.
        :param check: True for the default limits.
        :raises UsageError: an argument has the wrong type or an unknown kind.
        """
        kinds = re.findall(r"[^\s,;]+", captions) if isinstance(captions, str) else captions or ()
        if not isinstance(kinds, (list, tuple)) or not all(kind in KINDS for kind in kinds):
            raise UsageError(
                f"TS191 captions is {shown_text(captions)}: it should be some of {', '.join(KINDS)}, such as "
                "('srt', 'vtt')."
            )
        if not isinstance(check, (bool, VideoCheck)):
            raise UsageError(f"TS194 check is {shown_text(check)}: it should be True, False or a VideoCheck.")
        if not isinstance(poster, bool):
            raise UsageError(f"TS194 poster is {shown_text(poster)}: it should be True or False.")
        limits = VideoCheck() if check is True else check or None
        return cls(tuple(dict.fromkeys(kinds)), poster, limits)

    def __bool__(self) -> bool:
        return bool(self.captions or self.poster or self.check)

    @property
    def needs_text(self) -> bool:
        """Return True if the captions or the check need the text."""
        return bool(self.captions or self.check)

    def check_installed(self) -> None:
        """Check that the libraries are there, before anything is paid.

        :raises UsageError: the extra ``content`` is not installed.
        """
        libraries = ["av", *(("pysubs2", "sentencex") if self.captions else ())]
        if self and not all(map(find_spec, libraries)):
            raise needs_content("captions, poster or check")

    def to_record(self) -> dict[str, Any]:
        """Return the options for a record. A later run with other options finishes the video again."""
        return asdict(self) | {"captions": list(self.captions)}


@dataclass(frozen=True)
class Script:
    """The text of a video.

    :param parts: the text of each job; empty if it is unknown.
    :param words: the number of words of all; None if it is unknown.
    :param pronouncer: the voice; None if it is unknown.
    """

    parts: Sequence[str] = ()
    words: int | None = None
    pronouncer: str | None = None
