"""Choose a poster: the sharpest picture at the start of a video. The call loads the library of the extra."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

from airflow_provider_twinsync._content.extra import needs_content

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from av.container import InputContainer

_FIRST_S = 1.0
_MOST_PICTURES = 120
#: The shape of pixels may make a picture wider, but not of any width.
_WIDEST = 8_192
#: From 2 (best) to 31.
_QUALITY = "4"
_LAPLACE = "0m=0 -1 0 -1 4 -1 0 -1 0:0rdiv=1"
_TURNS = {90: "transpose=cclock", 180: "hflip,vflip", 270: "transpose=clock"}


def poster(video: Path) -> bytes:
    """Return the sharpest picture of the first second of a video, as JPEG.

    The sharpest picture has the strongest edges; a black or blurred one has none. The poster is turned as a
    player turns the video, and has square pixels.

    :param video: an MP4 file.
    :raises DownloadRefusedError: the video has no picture that can be decoded.
    :raises DownloadInterruptedError: the file cannot be read.
    :raises UsageError: the extra ``content`` is not installed.
    """
    try:
        from airflow_provider_twinsync._content.finished.video_file import not_decoded, reading_video
    except ImportError as error:
        raise needs_content("A poster") from error
    with reading_video(video) as container:
        sharpest, found = -1.0, None
        for picture in _pictures(container):
            if (sharp := _sharpness(picture)) > sharpest:
                sharpest, found = sharp, picture
        if found is None:
            raise not_decoded("it has no pictures")
        return _as_jpeg(found)


def _pictures(container: InputContainer) -> Iterator[Any]:
    """Yield the pictures of the first second, upright."""
    stream = container.streams.video[0]
    upright = None
    first_s = None
    for number, frame in enumerate(container.decode(stream)):
        at_s = frame.time or 0.0
        first_s = at_s if first_s is None else first_s
        if number == _MOST_PICTURES or (number and at_s - first_s >= _FIRST_S):
            break
        if upright is None or upright.look != _look(frame):
            upright = _Upright(frame, stream.sample_aspect_ratio)
        yield upright.drawn(frame)


def _sharpness(picture: Any) -> float:
    """Return the strength of the edges: the mean square of their brighter sides (the Laplacian operator)."""
    graph = _graph(picture, [("format", "gray"), ("scale", "256:-2"), ("convolution", _LAPLACE)])
    graph.vpush(picture)
    plane = graph.vpull().planes[0]
    content = bytes(plane)
    rows = (content[at : at + plane.width] for at in range(0, len(content), plane.line_size))
    strengths = Counter(b"".join(rows))
    return sum(value * value * count for value, count in strengths.items()) / strengths.total()


def _as_jpeg(picture: Any) -> bytes:
    import av

    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qmin": _QUALITY, "qmax": _QUALITY}
    picture.pts = 0
    return b"".join(map(bytes, [*encoder.encode(picture), *encoder.encode(None)]))


def _graph(picture: Any, steps: Sequence[tuple[str, str]]) -> Any:
    """Return filters for pictures like one."""
    from av.filter import Graph

    graph = Graph()
    look = {"width": picture.width, "height": picture.height, "format": picture.format}
    graph.link_nodes(
        graph.add_buffer(**look, time_base=Fraction(1, 90_000)),
        *[graph.add(name, value) if value else graph.add(name) for name, value in steps],
        graph.add("buffersink"),
    ).configure()
    return graph


def _look(frame: Any) -> tuple[object, ...]:
    return frame.width, frame.height, frame.format.name, _rotation(frame)


def _rotation(frame: Any) -> int:
    """Return how far a player turns a picture, counter-clockwise. Version 14.0 of av does not know it."""
    return int(getattr(frame, "rotation", 0))


class _Upright:
    """Turn pictures as a player does.

    :param frame: the first picture.
    :param ratio: the width of a pixel, divided by its height.
    """

    def __init__(self, frame: Any, ratio: Fraction | None) -> None:
        self.look = _look(frame)
        width = max(1, round(frame.width * (ratio or 1)))
        if width > _WIDEST:
            width = frame.width
        steps = [("scale", f"{width}:{frame.height}:out_range=full"), ("format", "yuvj420p"), ("setsar", "1")]
        for turn in _TURNS.get(_rotation(frame) % 360, "").split(","):
            name, _, value = turn.partition("=")
            steps += [(name, value)] if name else []
        self._graph = _graph(frame, steps)

    def drawn(self, frame: Any) -> Any:
        """Return a picture, upright."""
        self._graph.vpush(frame)
        return self._graph.vpull()
