"""Draws a friendly person's head and shoulders, for a job whose photo the emulator does not fetch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw

from airflow_provider_twinsync.emulator.fonts import font

_SUPERSAMPLING = 3  # Pillow draws without anti-aliasing: drawn larger, then made smaller
_Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """How the person looks; colours as Pillow reads them.

    :param label: what is written at the bottom; nothing if empty.
    """

    backdrop: str
    disc: str
    skin: str
    shade: str
    cheek: str
    hair: str
    clothes: str
    collar: str
    long_hair: bool
    label: str


PLACEHOLDER = Look(
    backdrop="#dfe7ee",
    disc="#c3d2df",
    skin="#f1cbb0",
    shade="#dfae90",
    cheek="#eab59d",
    hair="#3d4654",
    clothes="#5b7fa6",
    collar="#f4f7fa",
    long_hair=False,
    label="placeholder",
)
SAMPLE = Look(
    backdrop="#fbe9d7",
    disc="#f6c99f",
    skin="#e8b48f",
    shade="#cf9470",
    cheek="#df9478",
    hair="#4a2c22",
    clothes="#1f7a74",
    collar="#f7d774",
    long_hair=True,
    label="",
)


@lru_cache(maxsize=16)
def draw(look: Look = PLACEHOLDER, *, size: int = 640, mouth: float = 0.0) -> Image.Image:
    """Draw a portrait; the image is shared, so copy it before you change it.

    :param look: how the person looks.
    :param size: width and height in pixels.
    :param mouth: how far the mouth is open, from 0 (a smile) to 1.
    """
    unit = size * _SUPERSAMPLING / 100  # everything below is in hundredths of the picture
    image = Image.new("RGB", (size * _SUPERSAMPLING, size * _SUPERSAMPLING), look.backdrop)
    pen = ImageDraw.Draw(image)

    def ellipse(x: float, y: float, rx: float, ry: float, colour: str) -> None:
        pen.ellipse(_scaled((x - rx, y - ry, x + rx, y + ry), unit), fill=colour)

    def arc(box: _Box, start: float, end: float, colour: str, width: float) -> None:
        pen.arc(_scaled(box, unit), start, end, fill=colour, width=round(width * unit))

    ellipse(50, 47, 41, 41, look.disc)
    if look.long_hair:
        pen.rounded_rectangle(_scaled((24, 19, 76, 78), unit), radius=26 * unit, fill=look.hair)
    pen.rounded_rectangle(_scaled((14, 76, 86, 130), unit), radius=22 * unit, fill=look.clothes)
    ellipse(50, 77, 13, 9, look.collar)
    pen.rounded_rectangle(_scaled((42.5, 60, 57.5, 82), unit), radius=7.5 * unit, fill=look.shade)
    ellipse(50, 41, 23, 22, look.hair)
    if not look.long_hair:
        for side in (-1, 1):
            ellipse(50 + side * 20.5, 49, 4, 5.2, look.shade)
    ellipse(50, 47, 20.5, 24.5, look.skin)
    _draw_fringe(pen, look, unit)
    for side in (-1, 1):
        ellipse(50 + side * 8.5, 46, 2.1, 2.7, "#2b2b33")
        ellipse(50 + side * 8.5 + 0.7, 45.1, 0.75, 0.75, "#ffffff")
        arc((50 + side * 8.5 - 4.5, 37.5, 50 + side * 8.5 + 4.5, 45), 215, 325, look.hair, 1.3)
        ellipse(50 + side * 13, 54, 3.6, 2.3, look.cheek)
    arc((47.6, 48.5, 52.4, 54), 20, 160, look.shade, 1.1)
    if mouth > 0:
        ellipse(50, 60.2, 4.6, 0.9 + 3.1 * mouth, "#8c3b3f")
        ellipse(50, 61 + 1.6 * mouth, 2.8, 0.4 + 1.1 * mouth, "#d9777a")
    else:
        arc((43.5, 52.5, 56.5, 62.5), 35, 145, "#8c3b3f", 1.3)
    image = image.resize((size, size), Image.Resampling.LANCZOS)
    if look.label:
        ImageDraw.Draw(image).text(
            (size / 2, size * 0.955), look.label, fill="#ffffff", anchor="mm", font=font(round(size * 0.04))
        )
    return image


def _draw_fringe(pen: ImageDraw.ImageDraw, look: Look, unit: float) -> None:
    """The hair over the forehead, swept to one side, and with long hair a strand on each side of the face."""
    head = _scaled((27, 19, 73, 71), unit)
    pen.chord(head, 190, 316, fill=look.hair)
    pen.chord(head, 268, 350, fill=look.hair)
    if look.long_hair:
        for x in (24, 70.5):
            pen.rounded_rectangle(_scaled((x, 42, x + 5.5, 76), unit), radius=2.7 * unit, fill=look.hair)


def _scaled(box: _Box, unit: float) -> _Box:
    return (box[0] * unit, box[1] * unit, box[2] * unit, box[3] * unit)
