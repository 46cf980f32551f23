"""Write captions as a file beside the video. The first call loads the library of the extra."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_twinsync._content.extra import needs_content

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_twinsync._content.captions.captions import Caption

#: pysubs2 takes a backslash for the start of a tag. No caption has this character.
_BACKSLASH = "\0"
#: SRT has no escapes. An invisible character keeps players from reading a tag in the text.
_WORD_JOINER = "\u2060"
_TAG_STARTS = re.compile(r"<(?=[/A-Za-z])|\{(?=\\)|--(?=>)")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def caption_file(captions: Sequence[Caption], kind: str) -> bytes:
    """Return captions as a file, in UTF-8.

    A player shows the text as it is: markup in it is no markup of the file.

    :param captions: the captions, in their order.
    :param kind: ``srt`` (SubRip) or ``vtt`` (WebVTT, for browsers).
    :raises UsageError: the extra ``content`` is not installed.
    """
    try:
        from pysubs2 import SSAEvent, SSAFile
    except ImportError as error:
        raise needs_content("Captions") from error
    file = SSAFile()
    for caption in captions:
        text = caption.text.translate(_ESCAPES) if kind == "vtt" else _as_srt(caption.text)
        event = SSAEvent(round(caption.start_s * 1000), round(caption.end_s * 1000))
        event.plaintext = text.replace("\\", _BACKSLASH)
        file.append(event)
    written: str = file.to_string(kind, keep_ssa_tags=True)
    return written.replace(_BACKSLASH, "\\").encode()


def _as_srt(text: str) -> str:
    return _TAG_STARTS.sub(lambda found: found[0] + _WORD_JOINER, text)
