"""Draw a friendly person's head and shoulders, for a job without a photo that the emulator fetches.

The photo of the example DAG, example_dags/portrait.jpg, was drawn by this code, with long hair and other
colours.
"""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageDraw

from airflow_provider_twinsync.emulator.fonts import font

_SUPERSAMPLING = 3  # Pillow draws without anti-aliasing: drawn larger, then made smaller
_Box = tuple[float, float, float, float]


_BACKDROP, _DISC = "#dfe7ee", "#c3d2df"
_SKIN, _SHADE, _CHEEK = "#f1cbb0", "#dfae90", "#eab59d"
_HAIR, _CLOTHES, _COLLAR = "#3d4654", "#5b7fa6", "#f4f7fa"
_LABEL = "placeholder"


@lru_cache(maxsize=16)
def draw(*, size: int = 640, mouth: float = 0.0) -> Image.Image:
    """Draw a portrait; the image is shared, so copy it before you change it.

    :param size: width and height in pixels.
    :param mouth: how far the mouth is open, from 0 (a smile) to 1.
    """
    unit = size * _SUPERSAMPLING / 100  # everything below is in hundredths of the picture
    image = Image.new("RGB", (size * _SUPERSAMPLING, size * _SUPERSAMPLING), _BACKDROP)
    pen = ImageDraw.Draw(image)

    def ellipse(x: float, y: float, rx: float, ry: float, colour: str) -> None:
        pen.ellipse(_scaled((x - rx, y - ry, x + rx, y + ry), unit), fill=colour)

    def arc(box: _Box, start: float, end: float, colour: str, width: float) -> None:
        pen.arc(_scaled(box, unit), start, end, fill=colour, width=round(width * unit))

    ellipse(50, 47, 41, 41, _DISC)
    pen.rounded_rectangle(_scaled((14, 76, 86, 130), unit), radius=22 * unit, fill=_CLOTHES)
    ellipse(50, 77, 13, 9, _COLLAR)
    pen.rounded_rectangle(_scaled((42.5, 60, 57.5, 82), unit), radius=7.5 * unit, fill=_SHADE)
    ellipse(50, 41, 23, 22, _HAIR)
    for side in (-1, 1):
        ellipse(50 + side * 20.5, 49, 4, 5.2, _SHADE)
    ellipse(50, 47, 20.5, 24.5, _SKIN)
    fringe = _scaled((27, 19, 73, 71), unit)  # swept to one side
    pen.chord(fringe, 190, 316, fill=_HAIR)
    pen.chord(fringe, 268, 350, fill=_HAIR)
    for side in (-1, 1):
        ellipse(50 + side * 8.5, 46, 2.1, 2.7, "#2b2b33")
        ellipse(50 + side * 8.5 + 0.7, 45.1, 0.75, 0.75, "#ffffff")
        arc((50 + side * 8.5 - 4.5, 37.5, 50 + side * 8.5 + 4.5, 45), 215, 325, _HAIR, 1.3)
        ellipse(50 + side * 13, 54, 3.6, 2.3, _CHEEK)
    arc((47.6, 48.5, 52.4, 54), 20, 160, _SHADE, 1.1)
    if mouth > 0:
        ellipse(50, 60.2, 4.6, 0.9 + 3.1 * mouth, "#8c3b3f")
        ellipse(50, 61 + 1.6 * mouth, 2.8, 0.4 + 1.1 * mouth, "#d9777a")
    else:
        arc((43.5, 52.5, 56.5, 62.5), 35, 145, "#8c3b3f", 1.3)
    image = image.resize((size, size), Image.Resampling.LANCZOS)
    ImageDraw.Draw(image).text(
        (size / 2, size * 0.955), _LABEL, fill="#ffffff", anchor="mm", font=font(round(size * 0.04))
    )
    return image


def _scaled(box: _Box, unit: float) -> _Box:
    return (box[0] * unit, box[1] * unit, box[2] * unit, box[3] * unit)
