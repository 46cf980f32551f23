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
from math import ceil
from typing import TYPE_CHECKING, Any

import av
from av.codec.context import Flags

from airflow_provider_twinsync._content.parts import DiffersError, opened
from airflow_provider_twinsync._content.result import silent_frame, writing_video
from airflow_provider_twinsync._download.partial_file import writing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

    from airflow_provider_twinsync._content.parts import Part

#: The samples of a packet of AAC-LC, and of the lead-ins of the encoders of FFmpeg and of Apple.
_PACKET = 1_024
_LEAD_INS = (1_024, 2_112)
#: The packets before the first one with sound; the demuxer keeps both streams within a second of each other.
_MAX_AHEAD = 1_000


def copy(parts: Sequence[Path], joined: Path) -> None:
    """Copy the packets of the parts into one file.

    :raises DiffersError: a part needs another encoding.
    """
    with writing_video(joined) as out:
        copier: _Copier | None = None
        for number, path in enumerate(parts, 1):
            with opened(number, path) as part:
                if copier is None:
                    copier = _Copier(part, out)
                copier.add(part)


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
    """Two streams that grow.

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
        self._decoded: int | None = None  # the last picture's time of decoding

    def add(self, part: Part) -> None:
        """Append a part.

        :raises DiffersError: it cannot be copied behind the parts before it.
        """
        self._check(part)
        packets = part.packets()
        ahead: list[Packet[Any]] = []
        if part.audio is not None:
            for packet in packets:
                ahead.append(packet)
                if packet.stream is part.audio:
                    break
                if len(ahead) == _MAX_AHEAD:
                    raise DiffersError(f"part {part.number} has its sound behind its pictures")
        start_s, begin_s = part.start_s, self._place(part, ahead)
        end_s = begin_s
        sees = False
        for packet in chain(ahead, packets):
            if packet.pts is None or packet.dts is None:
                raise DiffersError(f"part {part.number} has packets without a time")
            at_s = packet.pts * packet.time_base - start_s
            part.check_time(at_s)
            end_s = max(end_s, begin_s + at_s + (packet.duration or 0) * packet.time_base)
            if packet.stream is part.audio:
                self._add_sound(packet, begin_s - start_s)
            else:
                if packet.is_discard or not (sees or packet.is_keyframe):
                    raise DiffersError(f"part {part.number} begins between two key frames")
                sees = True
                self._add_picture(packet, begin_s - start_s)
        self._end_s = end_s

    def _check(self, part: Part) -> None:
        for name, value in _look(part).items():
            wanted = self._wanted[name]
            if value != wanted and isinstance(value, str | int):
                raise DiffersError(f"part {part.number} has {name} {value}, and part 1 has {wanted}")
            if value != wanted:
                raise DiffersError(f"part {part.number} has another {name} than part 1")

    def _place(self, part: Part, ahead: list[Packet[Any]]) -> Fraction:
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
            packet = av.Packet(self._silence)
            packet.is_keyframe = True
            self._mux(packet, self._audio, self._heard, self._heard, _PACKET)
            self._heard += _PACKET
        return (self._heard - lead) / self._rate

    def _add_sound(self, packet: Packet[Any], shift_s: Fraction) -> None:
        at = round((packet.pts or 0) + shift_s * self._rate)
        self._mux(packet, self._audio, at, at, packet.duration or _PACKET)
        self._heard = at + _PACKET

    def _add_picture(self, packet: Packet[Any], shift_s: Fraction) -> None:
        unit = self._video.time_base or Fraction(1)
        scale, shift = packet.time_base / unit, shift_s / unit
        shown, decoded = (round(value * scale + shift) for value in (packet.pts or 0, packet.dts or 0))
        if self._decoded is not None:  # the part before may have ended without such a delay
            decoded = max(decoded, self._decoded + 1)
        if decoded > shown:
            raise DiffersError("the pictures have no order")
        self._decoded = decoded
        self._mux(packet, self._video, shown, decoded, round((packet.duration or 0) * scale))

    def _mux(self, packet: Packet[Any], stream: Any, pts: int, dts: int, duration: int) -> None:
        packet.stream, packet.time_base = stream, stream.time_base
        packet.pts, packet.dts, packet.duration = pts, dts, duration
        with writing():
            self._out.mux_one(packet)


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
