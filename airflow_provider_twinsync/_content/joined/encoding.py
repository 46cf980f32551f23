"""Join parts of different encodings: decode all, encode them as the first one. Pictures keep their times."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.audio.fifo import AudioFifo
from av.audio.resampler import AudioResampler
from av.filter import Graph
from av.video.frame import PictureType

from airflow_provider_twinsync._content.joined.joined_file import silent_frame, writing_video
from airflow_provider_twinsync._content.joined.parts import opened, unreadable
from airflow_provider_twinsync._download.partial_file import writing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from av.audio.frame import AudioFrame
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame

    from airflow_provider_twinsync._content.joined.parts import Part

#: The unit of the times of pictures: a multiple of the usual frame rates.
_TICKS_PER_S = 90_000
#: Without B-frames: where pictures are of uneven length, these would end the file before its last picture.
_PICTURES = {"preset": "veryfast", "crf": "20", "bf": "0"}
_RATE = 48_000
#: The sample rates of AAC (ISO/IEC 14496-3, table 1.18).
_RATES = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_BITS_PER_CHANNEL = 96_000
_PACKET = 1_024
#: A shorter gap in the sound of a part, or overlap, is a matter of rounding.
_GAP_S = Fraction(1, 50)


def encode(parts: Sequence[Path], joined: Path) -> list[float]:
    """Decode the parts, encode them into one file, and return when each part begins, in seconds."""
    starts_s = []
    sounds = (_sound_of(number, path) for number, path in enumerate(parts, 1))
    sound = next((found for found in sounds if found), None)
    with writing_video(joined) as out:
        encoder: _Encoder | None = None
        for number, path in enumerate(parts, 1):
            with opened(number, path) as part:
                if encoder is None:
                    encoder = _Encoder(part, sound, out)
                starts_s.append(encoder.add(part))
        if encoder is not None:
            encoder.finish()
    return starts_s


def _sound_of(number: int, path: Path) -> tuple[int, str] | None:
    """Return the sample rate and the channels of a part; None without sound."""
    with opened(number, path) as part:
        if part.audio is None:
            return None
        rate = part.audio.sample_rate
        return rate if rate in _RATES else _RATE, "mono" if part.audio.channels == 1 else "stereo"


class _Encoder:
    """The pictures and the sound of the joined video, to which parts are encoded.

    :param first: the part that decides the size.
    :param sound: the sample rate and the channels; None for a video without sound.
    :param out: the file, empty.
    """

    def __init__(self, first: Part, sound: tuple[int, str] | None, out: OutputContainer) -> None:
        self._out = out
        ratio = first.video.sample_aspect_ratio or Fraction(1)
        self._video = out.add_stream("libx264", rate=first.video.average_rate or 25, options=_PICTURES)
        self._video.width = _even(first.video.width * ratio)
        self._video.height = _even(first.video.height)
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        self._seen = -1  # the last picture's time
        self._end_s = Fraction(0)  # of the longer stream
        self._sound = None if sound is None else _Sound(*sound, out)

    def add(self, part: Part) -> float:
        """Append a part, and return when it begins, in seconds."""
        begin_s = heard_s = self._end_s
        shift_s = begin_s - part.start_s
        fit = _Fit(self._video.width, self._video.height)
        if self._sound:
            self._sound.begin()
        for packet in part.packets(with_last=True):
            if packet.size:
                end_s = _time(part, packet) + (packet.duration or 0) * packet.time_base + shift_s
                self._end_s = max(self._end_s, end_s)
                if packet.stream is part.audio:
                    heard_s = max(heard_s, end_s)
            for frame in packet.decode():
                at_s = _time(part, frame) + shift_s
                if isinstance(frame, av.VideoFrame):
                    self._add_picture(fit.fitted(frame, part.video.sample_aspect_ratio), at_s)
                elif isinstance(frame, av.AudioFrame) and self._sound:
                    self._sound.add(frame, at_s, heard_s)
        if self._sound:
            self._sound.end(heard_s, self._end_s)
        return float(begin_s)

    def _add_picture(self, frame: VideoFrame, at_s: Fraction) -> None:
        self._seen = max(self._seen + 1, round(at_s * _TICKS_PER_S))
        frame.pts, frame.time_base = self._seen, Fraction(1, _TICKS_PER_S)
        frame.pict_type = PictureType.NONE  # the encoder would copy the kind of each picture
        _mux(self._out, self._video.encode(frame))

    def finish(self) -> None:
        """Write the packets that are still in the encoders."""
        packets = self._video.encode()
        for packet in packets:
            if packet.pts == self._seen and packet.time_base == Fraction(1, _TICKS_PER_S):
                packet.duration = round(self._end_s * _TICKS_PER_S) - self._seen  # no other picture ends it
        _mux(self._out, packets)
        if self._sound:
            self._sound.finish()


def _even(pixels: float | Fraction) -> int:
    """Round down to an even number: two pixels share a colour."""
    return max(2, int(pixels / 2) * 2)


def _time(part: Part, found: Packet[Any] | VideoFrame | AudioFrame) -> Fraction:
    """Return the time of a packet or a frame on the part's own clock."""
    if found.pts is None or found.time_base is None:
        raise unreadable(part.number, "it has pictures or sound without a time")
    at_s = found.pts * found.time_base
    part.check_time(at_s - part.start_s)
    return at_s


def _mux(out: OutputContainer, packets: list[Packet[Any]]) -> None:
    for packet in packets:
        with writing():
            out.mux_one(packet)


class _Fit:
    """Pictures of any size in a frame of one size: complete, in the middle, on black."""

    def __init__(self, width: int, height: int) -> None:
        self._size = width, height
        self._graph: Graph | None = None
        self._look: object = None

    def fitted(self, frame: VideoFrame, ratio: Fraction | None) -> VideoFrame:
        """Return a picture in the frame.

        :param ratio: the width of a pixel, divided by its height.
        """
        width, height = self._size
        look = frame.width, frame.height, frame.format.name
        if look == (width, height, "yuv420p") and ratio in (None, 0, 1):
            return frame
        if self._graph is None or look != self._look:
            self._graph, self._look = self._new_graph(frame, Fraction(ratio or 1)), look
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _new_graph(self, frame: VideoFrame, ratio: Fraction) -> Graph:
        width, height = self._size
        shown = frame.width * ratio
        scale = min(width / shown, Fraction(height, frame.height))
        inner_width, inner_height = _even(shown * scale), _even(frame.height * scale)
        left, top = (
            int((outer - inner) / 4) * 2 for outer, inner in ((width, inner_width), (height, inner_height))
        )
        graph = Graph()
        graph.link_nodes(
            graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=Fraction(1, _TICKS_PER_S),
            ),
            graph.add("scale", f"{inner_width}:{inner_height}"),
            graph.add("format", "yuv420p"),
            graph.add("pad", f"{width}:{height}:{left}:{top}"),
            graph.add("setsar", "1"),
            graph.add("buffersink"),
        ).configure()
        return graph


class _Sound:
    """A stream of sound without a gap: silence fills the times without sound.

    :param rate: samples per second.
    :param layout: the channels, ``mono`` or ``stereo``.
    """

    def __init__(self, rate: int, layout: str, out: OutputContainer) -> None:
        self._rate, self._layout, self._out = rate, layout, out
        self._stream = out.add_stream("aac", rate=rate, layout=layout)
        self._stream.bit_rate = _BITS_PER_CHANNEL * (1 if layout == "mono" else 2)
        self._at = 0  # the samples so far
        self.begin()

    def begin(self) -> None:
        """Begin a part, or continue after a gap."""
        self._resampler = AudioResampler("fltp", self._layout, self._rate)
        self._ready = AudioFifo()
        self._expected: Fraction | None = None

    def add(self, frame: AudioFrame, at_s: Fraction, end_s: Fraction) -> None:
        """Append sound.

        :param at_s: when it begins.
        :param end_s: when the sound of the part ends at the latest; a last packet is longer than its sound.
        """
        at = at_s * self._rate
        if self._expected is None or abs(at - self._expected) > _GAP_S * self._rate:
            self.end(at_s, at_s)
            self.begin()
            if at < self._at - _GAP_S * self._rate:
                return  # this time has sound already
            self._expected = at
        self._expected += Fraction(frame.samples * self._rate, frame.sample_rate)
        frame.pts = None
        self._resample(frame, end_s)

    def end(self, heard_s: Fraction, end_s: Fraction) -> None:
        """Write all sound up to a time, and silence up to another one."""
        self._resample(None, heard_s)
        while (missing := round(end_s * self._rate) - self._at) > 0:
            self._encode(silent_frame(self._rate, self._layout, min(missing, _PACKET)))

    def finish(self) -> None:
        """Write the packets that are still in the encoder."""
        _mux(self._out, self._stream.encode())

    def _resample(self, frame: AudioFrame | None, end_s: Fraction) -> None:
        if frame is not None or self._expected is not None:
            for piece in self._resampler.resample(frame):
                piece.pts = None
                self._ready.write(piece)
        while (room := round(end_s * self._rate) - self._at) > 0:
            ready = self._ready.read(min(room, _PACKET), partial=True) if self._expected is not None else None
            if ready is None:
                break
            self._encode(ready)

    def _encode(self, frame: AudioFrame) -> None:
        frame.pts, frame.time_base = self._at, Fraction(1, self._rate)
        self._at += frame.samples
        _mux(self._out, self._stream.encode(frame))
