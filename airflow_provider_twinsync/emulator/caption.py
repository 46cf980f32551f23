"""The caption: the text in lines and pages, and how far it has been spoken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_twinsync.emulator.words import is_unspaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Characters that must not begin a line, and characters that must not end one.
_CLOSING = frozenset("，。！？；：、）》」』】〉”’…,.!?;:)]}%—～·")
_OPENING = frozenset("（《「『【〈“‘([{$¥￥")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: the place of its characters in the text."""

    start: int
    end: int


def lay_out(text: str, width_of: Callable[[str], float], max_width: float) -> list[Line]:
    """Break a text into lines.

    :param width_of: how wide a piece of text is.
    :param max_width: how wide a line may be, in the same unit.
    """
    lines: list[Line] = []
    start = end = 0
    width = 0.0
    for piece_start, piece_end in _pieces(text, width_of, max_width):
        piece = text[piece_start:piece_end]
        piece_width = width_of(piece.rstrip())
        if end > start and (width + piece_width > max_width or text[end - 1] == "\n"):
            lines.append(Line(start, end))
            start, width = piece_start, 0.0
        end = piece_end
        width += width_of(piece)
    if end > start:
        lines.append(Line(start, end))
    return lines


def _pieces(text: str, width_of: Callable[[str], float], max_width: float) -> Iterator[tuple[int, int]]:
    """Return the pieces that stay together; a piece that is wider than a line is cut."""
    start = 0
    width = 0.0
    for i, char in enumerate(text):
        char_width = width_of(char)
        if i > start and (_may_break(text[i - 1], char) or width + char_width > max_width):
            yield start, i
            start, width = i, 0.0
        width += char_width
    if start < len(text):
        yield start, len(text)


def _may_break(before: str, after: str) -> bool:
    """Return whether a line may end between two characters."""
    if after.isspace():
        return False
    if before.isspace():
        return True
    if before in _OPENING or after in _CLOSING:
        return False
    return is_unspaced(before) or is_unspaced(after) or (before in _CLOSING and ord(before) > 0x2000)
