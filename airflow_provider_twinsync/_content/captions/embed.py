"""Embed captions in a video as a stream of its own, which a player can turn on and off.

The stream is ``mov_text`` (3GPP TS 26.245): each sample is the length of its text in two bytes, and the text.
The library has no way to begin such a stream without an encoder. A file of one empty track is the template.
"""

from __future__ import annotations

import io
from contextlib import contextmanager, suppress
from fractions import Fraction
from struct import pack
from typing import TYPE_CHECKING

import av
from av.codec.context import Flags

from airflow_provider_twinsync._content.captions.languages import iso_639_2
from airflow_provider_twinsync._content.finished.video_file import not_decoded, reading_video
from airflow_provider_twinsync._content.joined.joined_file import writing_video
from airflow_provider_twinsync._download.partial_file import writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from av.container import InputContainer, OutputContainer

    from airflow_provider_twinsync._content.captions.captions import Caption

_MS = Fraction(1, 1000)


def embed(video: Path, captions: Sequence[Caption], language: str, target: Path) -> None:
    """Copy a video to another file, with captions in it. Pictures and sound are not encoded again.

    :param video: an MP4 file.
    :param captions: the captions, in their order.
    :param language: the language of the captions, or a voice of it, such as ``en-US-JennyNeural``.
    :param target: the file to write; a file of that name is replaced.
    :raises DownloadRefusedError: the video cannot be decoded or copied.
    :raises DownloadInterruptedError: a file cannot be read or written.
    """
    try:
        with writing_video(target) as out, reading_video(video) as source, _empty_track() as text:
            copies = _copies(source, out)
            stream: Any = out.add_stream_from_template(text)
            stream.metadata["language"] = iso_639_2(language)
            with writing():
                out.start_encoding()
            _copy(source, out, copies, list(_samples(captions, stream)))
    except BaseException:  # an alarm of an execution_timeout too
        with suppress(OSError):
            target.unlink()
        raise


@contextmanager
def _empty_track() -> Iterator[Any]:
    with av.open(io.BytesIO(_template()), format="mp4") as template:
        yield template.streams[0]


def _copy(
    source: InputContainer, out: OutputContainer, copies: dict[int, Any], samples: list[tuple[Any, bytes]]
) -> None:
    """Write the packets of a video and of its captions, in the order of their times.

    :param samples: each packet with its bytes. Version 17.0 of av needs the bytes until the file is closed.
    """
    written = 0
    for packet in source.demux(*[stream for stream in source.streams if stream.index in copies]):
        if packet.is_corrupt:
            raise not_decoded("it is damaged or cut")
        if packet.size:
            while written < len(samples) and _is_due(samples[written], packet):
                _mux(out, samples[written][0])
                written += 1
            packet.stream = copies[packet.stream.index]
            _mux(out, packet)
    for sample, _ in samples[written:]:
        _mux(out, sample)


def _is_due(sample: tuple[Any, bytes], packet: Any) -> bool:
    return packet.dts is not None and bool(sample[0].pts * _MS <= packet.dts * packet.time_base)


def _copies(source: InputContainer, out: OutputContainer) -> dict[int, Any]:
    """Create a stream for each stream of pictures and sound."""
    copies: dict[int, Any] = {}
    for stream in [*source.streams.video[:1], *source.streams.audio[:1]]:
        try:
            copy: Any = out.add_stream_from_template(stream)
        except ValueError as error:  # av has no encoder of this kind
            raise not_decoded("its encoding cannot be copied") from error
        # Before version 15, av opens an encoder here, which with this flag writes a set-up of its own.
        copy.codec_context.flags &= ~Flags.global_header
        copies[stream.index] = copy
    return copies


def _samples(captions: Sequence[Caption], stream: Any) -> Iterator[tuple[Any, bytes]]:
    """Yield a packet for each caption; the library adds the empty packets between them."""
    for caption in captions:
        text = caption.text.encode()[:65_535]
        data = pack(">H", len(text)) + text
        packet: Any = av.Packet(data)
        packet.stream, packet.time_base, packet.is_keyframe = stream, _MS, True
        packet.pts = packet.dts = round(caption.start_s * 1000)
        packet.duration = round(caption.end_s * 1000) - packet.pts
        yield packet, data


def _mux(out: OutputContainer, packet: Any) -> None:
    with writing():
        out.mux_one(packet)


def _template() -> bytes:
    """Return an MP4 file with one track of text and nothing in it (ISO/IEC 14496-12, 3GPP TS 26.245)."""
    matrix = pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    text = bytes(6) + pack(">HIbb", 1, 0, 1, -1) + pack(">I", 0) + bytes(8)  # in the middle, at the bottom
    text += pack(">HHHBBI", 0, 0, 1, 0, 18, 0xFFFFFFFF) + _box(b"ftab", pack(">HHB5s", 1, 1, 5, b"Serif"))
    table = _full(b"stsd", pack(">I", 1) + _box(b"tx3g", text))
    table += _full(b"stts", bytes(4)) + _full(b"stsc", bytes(4)) + _full(b"stsz", bytes(8))
    table += _full(b"stco", bytes(4))
    data = _box(b"dinf", _full(b"dref", pack(">I", 1) + _full(b"url ", b"", 1)))
    media = _full(b"mdhd", pack(">IIIIHH", 0, 0, 1000, 0, 0x55C4, 0))
    media += _full(b"hdlr", b"\0\0\0\0sbtl" + bytes(13))
    media += _box(b"minf", _full(b"nmhd", b"") + data + _box(b"stbl", table))
    track = _full(b"tkhd", pack(">IIIIIQHHHH", 0, 0, 1, 0, 0, 0, 0, 0, 0, 0) + matrix + bytes(8), 3)
    movie = _full(
        b"mvhd", pack(">IIIIIHH8x", 0, 0, 1000, 0, 0x10000, 0x100, 0) + matrix + bytes(24) + pack(">I", 2)
    )
    return _box(b"ftyp", b"isom\0\0\2\0isommp41") + _box(
        b"moov", movie + _box(b"trak", track + _box(b"mdia", media))
    )


def _box(name: bytes, content: bytes) -> bytes:
    return pack(">I4s", 8 + len(content), name) + content


def _full(name: bytes, content: bytes, flags: int = 0) -> bytes:
    return _box(name, pack(">I", flags) + content)
