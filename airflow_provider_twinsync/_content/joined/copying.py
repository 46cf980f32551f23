"""Join parts of one encoding: copy their packets, with new times.

Three facts about MP4 (ISO/IEC 14496-12) and AAC decide the times:

* A file states how long each packet lasts, and not when it begins (8.6.1.2). Many players count the samples
  of the sound instead. So sound has neither a gap nor an overlap: each packet begins 1024 samples after the
  one before. The parts are placed accordingly, and silent packets fill a longer gap.
* The first packet of an AAC encoder is a lead-in, which no player plays at the start of a file. In front of a
  later part it stays, silent: without it the next packet cannot be decoded cleanly.
* A picture that refers to a later one has a time of decoding before its time. Times of decoding only rise.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import chain
from math import ceil, lcm
from typing import TYPE_CHECKING, Any

import av
from av.codec.context import Flags

from airflow_provider_twinsync._content.joined.joined_file import silent_frame, writing_video
from airflow_provider_twinsync._content.joined.parts import (
    MAX_PART_S,
    TOO_LONG,
    DiffersError,
    opened,
    unreadable,
)
from airflow_provider_twinsync._download.partial_file import writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import OutputContainer

    from airflow_provider_twinsync._content.joined.parts import Part

#: The samples of a packet of AAC-LC, and of the lead-ins of the encoders of FFmpeg and of Apple.
_PACKET = 1_024
_LEAD_INS = (1_024, 2_112)
#: The packets before the first one with sound; the demuxer keeps both streams within a second of each other.
_MAX_AHEAD = 1_000


def copy(parts: Sequence[Path], joined: Path) -> list[float]:
    """Copy the packets of the parts into one file, and return when each part begins, in seconds.

    :raises DiffersError: a part needs another encoding.
    """
    starts_s = []
    with writing_video(joined) as out:
        copier: _Copier | None = None
        for number, path in enumerate(parts, 1):
            with opened(number, path) as part:
                if copier is None:
                    copier = _Copier(part, out)
                starts_s.append(copier.add(part))
    return starts_s


def _look(part: Part) -> dict[str, object]:
    """Return all that must be equal in parts that are copied into one file."""
    video, audio = part.video, part.audio
    return {
        "codec": video.codec_context.name,
        "size": f"{video.width}x{video.height}",
        "pixel format": video.codec_context.pix_fmt,
        "pixel ratio": str(video.codec_context.sample_aspect_ratio or 1),
        "video set-up": video.codec_context.extradata,
        "sound": audio.codec_context.name if audio else "none",
        "sample rate": audio.sample_rate if audio else 0,
        "channels": audio.layout.name if audio else "none",
        "audio set-up": audio.codec_context.extradata if audio else b"",
    }


class _Copier:
    """The pictures and the sound of the joined video, to which parts are copied.

    :param first: the part that decides the encoding.
    :param out: the file, empty.
    """

    def __init__(self, first: Part, out: OutputContainer) -> None:
        self._out = out
        self._wanted = _look(first)
        self._rate = first.audio.sample_rate if first.audio else 0
        self._silence = _silent_packet(first, first.audio) if first.audio else b""
        try:
            self._video = out.add_stream_from_template(first.video)
            self._audio = out.add_stream_from_template(first.audio) if first.audio else None
            # Before version 15, av opens an encoder here, which with this flag writes a set-up of its own.
            self._video.codec_context.flags &= ~Flags.global_header
            with writing():
                out.start_encoding()
        except ValueError as error:  # av has no encoder of this kind
            raise DiffersError("part 1 cannot be copied") from error
        if self._video.codec_context.extradata != first.video.codec_context.extradata:
            raise DiffersError("part 1 cannot be copied")
        self._end_s = Fraction(0)  # of the longer stream
        self._heard: int | None = None  # the end of the last packet of sound, in samples
        self._decoded = -(2**62)  # the last picture's time of decoding

    def add(self, part: Part) -> float:
        """Append a part, and return when it begins, in seconds.

        :raises DiffersError: it cannot be copied behind the parts before it.
        """
        self._check(part)
        packets: Iterator[Any] = part.packets()
        ahead: list[Any] = []
        if part.audio is not None:
            for packet in packets:
                ahead.append(packet)
                if packet.stream is part.audio:
                    break
                if len(ahead) == _MAX_AHEAD:
                    raise DiffersError(f"part {part.number} has its sound behind its pictures")
        begin_s = self._place(part, ahead)
        pictures = _Track(part, part.video, self._video, begin_s)
        sound = _Track(part, part.audio, self._audio, begin_s) if part.audio and self._audio else None
        for packet in chain(ahead, packets):
            if packet.stream is part.video:
                if packet.is_discard or not (packet.is_keyframe or pictures.has_begun):
                    raise DiffersError(f"part {part.number} begins between two key frames")
                pictures.move(packet)
                if packet.dts <= self._decoded:  # the part before may have ended without such a delay
                    packet.dts = self._decoded + 1
                if packet.dts > packet.pts:
                    raise DiffersError(f"part {part.number} has pictures without an order")
                self._decoded = packet.dts
            elif sound:
                sound.move(packet)
                self._heard = packet.pts + _PACKET
            self._mux(packet)
        self._end_s = max(track.end_s for track in (pictures, sound) if track)
        return float(begin_s)

    def _check(self, part: Part) -> None:
        for name, value in _look(part).items():
            wanted = self._wanted[name]
            if value != wanted and isinstance(value, str | int):
                raise DiffersError(f"part {part.number} has {name} {value}, and part 1 has {wanted}")
            if value != wanted:
                raise DiffersError(f"part {part.number} has another {name} than part 1")

    def _place(self, part: Part, ahead: list[Any]) -> Fraction:
        """Return where the part begins, and fill the time to there with silence."""
        if part.audio is None:
            return self._end_s
        if not ahead or ahead[-1].stream is not part.audio:
            raise DiffersError(f"part {part.number} has an empty stream of sound")
        first = ahead[-1]
        if first.pts is None or first.time_base != Fraction(1, self._rate):
            raise DiffersError(f"part {part.number} does not count its sound in samples")
        lead = first.pts - part.start_s * self._rate  # below 0 with a lead-in
        if lead < 0 and -lead not in _LEAD_INS:
            raise DiffersError(f"part {part.number} has sound before its start")
        if self._heard is None:
            return Fraction(0)
        count = max(0, ceil((self._end_s * self._rate + lead - self._heard) / _PACKET))
        for _ in range(count):
            packet: Any = av.Packet(self._silence)
            packet.is_keyframe = True
            packet.stream, packet.time_base = self._audio, Fraction(1, self._rate)
            packet.pts = packet.dts = self._heard
            packet.duration = _PACKET
            self._mux(packet)
            self._heard += _PACKET
        return Fraction(self._heard - lead) / self._rate

    def _mux(self, packet: Any) -> None:
        try:
            self._out.mux_one(packet)
        except OSError:
            with writing():
                raise


class _Track:
    """A stream of a part on its way into the file, in whole numbers: there are many packets.

    :param source: the stream in the part.
    :param target: the stream in the file.
    :param begin_s: where the part begins in the file.
    """

    def __init__(self, part: Part, source: Any, target: Any, begin_s: Fraction) -> None:
        self._part, self._source, self._target = part, source, target
        self._shift_s = begin_s - part.start_s
        self._changes_unit = source.time_base != target.time_base
        scale, shift = source.time_base / target.time_base, self._shift_s / target.time_base
        self._whole = lcm(scale.denominator, shift.denominator)
        self._factor, self._offset = int(scale * self._whole), int(shift * self._whole) + self._whole // 2
        self._first, self._last = (
            int((part.start_s + by) / source.time_base) for by in (-MAX_PART_S, MAX_PART_S)
        )
        self._end = self._first

    @property
    def has_begun(self) -> bool:
        """Return whether there was a packet."""
        return self._end != self._first

    @property
    def end_s(self) -> Fraction:
        """Return where the stream ends in the file."""
        return self._end * self._source.time_base + self._shift_s if self.has_begun else Fraction(0)

    def move(self, packet: Any) -> None:
        """Turn the times of a packet into those of the file."""
        pts, dts, duration = packet.pts, packet.dts, packet.duration or 0
        if pts is None or dts is None:
            raise DiffersError(f"part {self._part.number} has packets without a time")
        if not self._first < pts < self._last or duration > self._last:
            raise unreadable(self._part.number, TOO_LONG)
        self._end = max(self._end, pts + duration)
        packet.stream = self._target
        if self._changes_unit:
            packet.time_base = self._target.time_base
            packet.duration = duration * self._factor // self._whole
        packet.pts = (pts * self._factor + self._offset) // self._whole
        packet.dts = (dts * self._factor + self._offset) // self._whole


def _silent_packet(part: Part, audio: AudioStream) -> bytes:
    """Return a packet of silence that fits between the packets of a part.

    :raises DiffersError: the sound is no AAC-LC, or has another form of it.
    """
    rate, layout = audio.sample_rate, audio.layout.name
    # The first two bytes of a set-up are the kind of AAC, the sample rate, the channels, and the samples of a
    # packet (ISO/IEC 14496-3, 1.6.2.1).
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = rate, layout, "fltp"
    encoder.time_base = Fraction(1, rate)
    packets = [packet for _ in range(4) for packet in encoder.encode(silent_frame(rate, layout, _PACKET))]
    own = audio.codec_context
    if own.name != "aac" or (own.extradata or b"")[:2] != (encoder.extradata or b"")[:2]:
        raise DiffersError(f"part {part.number} has sound that is no plain AAC")
    return bytes(packets[-1])
