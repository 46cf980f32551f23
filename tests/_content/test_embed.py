"""Captions in the video: they are read back, and pictures and sound are those of the video."""

from __future__ import annotations

import av
import pytest
from support.films import FRAMES_PER_S, make, packets, watch

from airflow_provider_twinsync._content.captions.captions import Caption
from airflow_provider_twinsync._content.captions.embed import embed
from airflow_provider_twinsync._content.captions.languages import iso_639_2
from airflow_provider_twinsync._download.mp4 import is_complete
from airflow_provider_twinsync.exceptions import DownloadInterruptedError, DownloadRefusedError
from airflow_provider_twinsync.voices import all_voices

VOICE = "de-AT-IngridNeural"
CAPTIONS = [
    Caption(0.25, 1.0, "Grüß <b>Gott</b>,\n{\\an8} Welt & Leute"),
    Caption(1.0, 2.5, "你好 --> سلام"),
    Caption(4.0, 5.0, "C:\\new\\N"),
]


def captions_in(path):
    """Read the captions of a video: the samples that are not empty."""
    with av.open(str(path)) as container:
        [stream] = container.streams.subtitles
        found = []
        for packet in container.demux(stream):
            content = bytes(packet)
            if content[2:]:
                assert int.from_bytes(content[:2], "big") == len(content) - 2
                start_s = float(packet.pts * packet.time_base)
                end_s = start_s + float(packet.duration * packet.time_base)
                found.append(Caption(round(start_s, 3), round(end_s, 3), content[2:].decode()))
        return stream.codec_context.name, stream.metadata["language"], found


@pytest.mark.parametrize(
    "odd",
    [{}, {"b_frames": 2}, {"rate": None}, {"rate": 44_100, "layout": "stereo"}, {"delay_s": 0.2}],
    ids=str,
)
def test_captions_are_found_in_the_video(tmp_path, odd):
    """The packets of pictures and sound are copied, byte for byte, with their times."""
    video, target = make(tmp_path / "a.mp4", count=FRAMES_PER_S * 6, **odd), tmp_path / "b.mp4"
    embed(video, CAPTIONS, VOICE, target)
    assert captions_in(target) == ("mov_text", "deu", CAPTIONS)
    for kind in ("video", "audio"):
        if kind == "video" or odd.get("rate", 1):
            assert packets(target, kind) == packets(video, kind)
    before, after = watch(video), watch(target)
    assert after.numbers == before.numbers
    assert after.times == pytest.approx(before.times, abs=0.001)
    assert len(after.heard) == len(before.heard)
    assert after.heard_from_s == pytest.approx(before.heard_from_s, abs=0.001)
    content = target.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with target.open("rb") as file:
        assert is_complete(file, len(content))


def test_a_player_decodes_the_text(tmp_path):
    """With line breaks, and without a reading of tags."""
    embed(make(tmp_path / "a.mp4", count=72), CAPTIONS[:1], VOICE, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        texts = [
            rect.ass.decode()
            for packet in container.demux(subtitles=0)
            for found in packet.decode()
            for rect in getattr(found, "rects", [found])
        ]
    [text] = texts
    assert text.endswith("Grüß <b>Gott</b>,\\N{\\an8} Welt & Leute")


def test_a_video_without_captions_is_a_copy(tmp_path):
    embed(make(tmp_path / "a.mp4"), [], VOICE, tmp_path / "b.mp4")
    assert packets(tmp_path / "b.mp4", "video") == packets(tmp_path / "a.mp4", "video")


def test_many_captions_are_all_there(tmp_path):
    """Forty seconds of pictures, with a caption each quarter of a second."""
    captions = [Caption(at / 4, at / 4 + 0.25, f"caption {at}") for at in range(160)]
    embed(make(tmp_path / "a.mp4", count=FRAMES_PER_S * 40), captions, VOICE, tmp_path / "b.mp4")
    assert captions_in(tmp_path / "b.mp4")[2] == captions


def test_after_an_error_there_is_no_file(tmp_path):
    """A file that is no video, and a folder that does not exist."""
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(DownloadRefusedError) as refused:
        embed(tmp_path / "a.mp4", CAPTIONS, VOICE, tmp_path / "b.mp4")
    assert refused.value.code == "TS536"
    assert not (tmp_path / "b.mp4").exists()
    with pytest.raises(DownloadInterruptedError) as interrupted:
        embed(make(tmp_path / "c.mp4"), CAPTIONS, VOICE, tmp_path / "none" / "b.mp4")
    assert interrupted.value.code == "TS520"


def test_a_cut_video_is_refused(tmp_path):
    video = make(tmp_path / "a.mp4", count=72)
    video.write_bytes(video.read_bytes()[:-2_000])
    with pytest.raises(DownloadRefusedError) as refused:
        embed(video, CAPTIONS, VOICE, tmp_path / "b.mp4")
    assert refused.value.code == "TS536"
    assert not (tmp_path / "b.mp4").exists()


def test_each_voice_has_a_language():
    """Three letters, as MP4 files state it."""
    codes = {voice.name: iso_639_2(voice.name) for voice in all_voices()}
    assert {name for name, code in codes.items() if code == "und" or len(code) != 3} == set()
    assert iso_639_2("zh-CN-XiaohanNeural") == "zho"
    assert iso_639_2("pt") == "por"
    assert iso_639_2("") == iso_639_2("x-y") == iso_639_2("ééé") == "und"
