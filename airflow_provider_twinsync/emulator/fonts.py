"""The font of the pictures: Noto Sans CJK from a package, so that Chinese shows as Chinese on any machine.

The package is manimgx-fonts-cjk: the file as Noto publishes it (SIL OFL) and nothing else, with the Chinese,
Japanese and Korean faces in any weight. Latin, Greek and Cyrillic show too; a character of any other script
(Thai, Arabic, Hebrew, emoji and so on) shows as a middle dot.
"""

from __future__ import annotations

import threading
import unicodedata
from functools import lru_cache
from importlib.resources import files

from PIL import ImageFont

_FONT_FILE = str(files("manimgx_fonts_cjk") / "NotoSansCJK-VF.otf.ttc")
# One file with a face for each language: the same character is drawn a little differently in each.
_FACES = {"ja": 0, "ko": 1, "zh-TW": 3, "zh-HK": 4}
_SIMPLIFIED_CHINESE = 2


def font(size: int, *, pronouncer: str = "", weight: int = 500) -> ImageFont.FreeTypeFont:
    """Return the font of a size and a voice.

    :param size: the height in pixels.
    :param pronouncer: the voice; its language decides between Chinese, Japanese and Korean forms.
    :param weight: from 100 (thin) to 900 (black).
    """
    # FreeType: a face may be used by one thread at a time.
    return _font(size, pronouncer, weight, threading.get_ident())


@lru_cache(maxsize=64)
def _font(size: int, pronouncer: str, weight: int, thread: int) -> ImageFont.FreeTypeFont:
    locale = "-".join(pronouncer.split("-")[:2])
    face = _FACES.get(locale, _FACES.get(locale[:2], _SIMPLIFIED_CHINESE))
    # The basic layout is in every Pillow; the other one depends on a library that the machine may lack.
    found = ImageFont.truetype(_FONT_FILE, size, index=face, layout_engine=ImageFont.Layout.BASIC)
    found.set_variation_by_axes([weight])
    return found


def showable(text: str) -> str:
    """Return the part of a text that can be drawn: a font draws a box for a character that it lacks.

    :return: the text with one space for each run of white space and control characters, a middle dot for a
        character that the font lacks, and nothing for a mark or joiner that the font lacks.
    """
    drawn = "".join(map(_drawn, text))
    while "  " in drawn:
        drawn = drawn.replace("  ", " ")
    return drawn


@lru_cache(maxsize=4096)
def _drawn(char: str) -> str:
    category = unicodedata.category(char)
    if char.isspace() or category == "Cc":
        return " "
    if _shape(char) != _shape("\U000fffff"):  # a character that nobody has: the font's box
        return char
    return "" if category[0] == "M" or category == "Cf" else "·"


def _shape(char: str) -> tuple[tuple[int, int], bytes]:
    mask = font(26).getmask(char)  # the faces have the same characters
    return mask.size, bytes(mask)
