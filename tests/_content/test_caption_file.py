"""The files of captions, as a player reads them."""

from __future__ import annotations

import html
import re

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_twinsync._content.captions.captions import Caption
from airflow_provider_twinsync._content.captions.file import caption_file

TIME = r"\d\d:\d\d:\d\d"
LINES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]), min_size=1, max_size=30)
TEXTS = st.one_of(
    st.lists(LINES, min_size=1, max_size=2).map("\n".join),
    st.sampled_from(
        [r"C:\new\N\n\h", r"{\an8}{\p1}m 0 0", "<b>&amp;</b>", "a --> b", "{", "NOTE\n5", "</i>"]
    ),
)


def read_vtt(content: bytes) -> list[tuple[str, str, str]]:
    """Read a WebVTT file by the rules of its standard: blocks between empty lines, text with escapes."""
    head, *blocks = content.decode().rstrip("\n").split("\n\n")
    assert head == "WEBVTT"
    cues = []
    for number, block in enumerate((block for block in blocks if block), 1):
        name, times, *lines = block.strip("\n").split("\n")
        assert name == str(number)
        found = re.fullmatch(rf"({TIME}\.\d\d\d) --> ({TIME}\.\d\d\d)", times)
        assert found
        assert "-->" not in "".join(lines)
        assert "<" not in "".join(lines)
        assert not re.search(r"&(?!amp;|lt;|gt;)", "".join(lines))
        cues.append((found[1], found[2], html.unescape("\n".join(lines))))
    return cues


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_a_browser_reads_each_text_as_it_is(texts):
    """Markup, arrows, backslashes and braces are text."""
    captions = [Caption(float(at), at + 0.5, text) for at, text in enumerate(texts)]
    assert [text for _, _, text in read_vtt(caption_file(captions, "vtt"))] == texts


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_an_srt_player_reads_each_text_as_it_is(texts):
    """But for an invisible character, which keeps it from reading a tag."""
    captions = [Caption(float(at), at + 0.5, text) for at, text in enumerate(texts)]
    blocks = caption_file(captions, "srt").decode().rstrip("\n").split("\n\n")
    blocks = [block.strip("\n") for block in blocks if block]
    bodies = ["\n".join(block.split("\n")[2:]) for block in blocks]
    assert [body.replace("\u2060", "") for body in bodies] == [text.replace("\u2060", "") for text in texts]
    assert [block.split("\n")[0] for block in blocks] == [str(number) for number, _ in enumerate(texts, 1)]
    assert not re.search(r"<[/A-Za-z]|\{\\|-->", "\n\n".join(bodies))


def test_the_times_of_a_file_are_those_of_the_captions():
    """In hours, minutes, seconds and thousandths; as another reader reads them, too."""
    captions = [Caption(0.0, 1.0, "a"), Caption(3599.9995, 3605.25, "b\nc"), Caption(7325.001, 7326.0, "d")]
    text = caption_file(captions, "srt").decode()
    assert "01:00:00,000 --> 01:00:05,250\nb\nc\n" in text
    assert [times[:2] for times in read_vtt(caption_file(captions, "vtt"))] == [
        ("00:00:00.000", "00:00:01.000"),
        ("01:00:00.000", "01:00:05.250"),
        ("02:02:05.001", "02:02:06.000"),
    ]
    events = pysubs2.SSAFile.from_string(text)
    assert [(one.start, one.end, one.plaintext) for one in events] == [
        (0, 1000, "a"),
        (3_600_000, 3_605_250, "b\nc"),
        (7_325_001, 7_326_000, "d"),
    ]


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_a_file_is_utf_8_and_keeps_the_direction_of_a_text(kind):
    content = caption_file([Caption(0.0, 1.0, "سلام! שלום 你好 é")], kind)
    assert "سلام! שלום 你好 é" in content.decode("utf-8")
    assert not content.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in content


def test_no_captions_are_a_file_too():
    assert caption_file([], "vtt").decode().strip() == "WEBVTT"
    assert caption_file([], "srt").decode().strip() == ""
