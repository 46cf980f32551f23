"""The rendered video: the picture, the caption, the sound."""

from __future__ import annotations

import io
from array import array
from itertools import pairwise

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageChops, ImageStat

from airflow_provider_twinsync.emulator import speech
from airflow_provider_twinsync.emulator.caption import lay_out
from airflow_provider_twinsync.emulator.fonts import font, showable
from airflow_provider_twinsync.emulator.video import HEIGHT, WIDTH, RenderingStopped, render
from airflow_provider_twinsync.emulator.words import limited_words, words


def rendered(text="短文", pronouncer="zh-CN-XiaohanNeural", photo=None):
    return render(text=text, pronouncer=pronouncer, photo=photo, should_stop=lambda: False)


def pictures(data):
    with av.open(io.BytesIO(data)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


def caption_of(picture):
    return picture.crop((0, WIDTH, WIDTH, HEIGHT - 40))


def difference(one, other):
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean)


def test_equal_inputs_give_equal_bytes_and_others_do_not(png):
    """A download can go on after a restart of the emulator."""
    text = "你好，我是会说话的照片数字人。今天天气很好！"
    assert rendered(text) == rendered(text)
    variants = [
        rendered(),
        rendered(text="长文"),
        rendered(pronouncer="zh-CN-YunxiNeural"),
        rendered(photo=png),
    ]
    assert len(set(variants)) == 4


def test_the_index_is_in_front():
    """A player can begin before it has all of it."""
    data = rendered()
    assert data[4:8] == b"ftyp"
    assert data.index(b"moov") < data.index(b"mdat")


def test_chinese_shows_as_chinese():
    """Two texts of one length look different, and not like characters that the font lacks."""
    one, other, lacking = (
        caption_of(pictures(rendered(text))[0]) for text in ("你好", "再见", "\U000fffff" * 2)
    )
    assert difference(one, other) > 1
    assert difference(one, lacking) > 1
    masks = {bytes(font(26).getmask(char)) for char in "你好再见說こ한ABcé"}
    assert len(masks) == 11


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("a\tb\r\nc\x00\x85d\u2028e", "a b c d e"),
        ("你好, Ünïcode. Привет αβγ e\u0301 한こ", "你好, Ünïcode. Привет αβγ e\u0301 한こ"),
        ("สวัสดี سلام שלום", "···· ···· ····"),
        ("🎉 👩\u200d👩\u200d👧 ❤\ufe0f \U000fffff", "· ··· · ·"),
    ],
)
def test_no_character_is_drawn_as_a_box(text, drawn):
    """A space for a control character, a dot for a missing character, nothing for a missing mark."""
    assert showable(text) == drawn


def test_the_caption_and_the_footer_draw_what_can_be_drawn():
    """The same picture as with the dots and spaces written out."""
    written = pictures(rendered("字\t字ก", "x\tก"))[0]
    assert difference(written, pictures(rendered("字 字·", "x ·"))[0]) < 0.1


def test_the_caption_follows_the_voice_and_turns_its_pages():
    """Each moment looks different, and so do the pages of a long text."""
    seen = pictures(rendered("一二三四五六七八九十" * 6))
    captions = [caption_of(picture) for picture in seen]
    assert difference(captions[0], captions[3]) > 0.1
    assert difference(captions[0], captions[-1]) > 5


def test_the_placeholder_speaks():
    """Its mouth is open in the middle of a syllable."""
    seen = [picture.crop((200, 290, 312, 340)) for picture in pictures(rendered("啊啊啊"))]
    assert max(difference(seen[0], other) for other in seen) > 5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("字" * 45, 10.0), ("word " * 25, 10.0), ("字", 1.0), ("！？", 1.0), ("你好 hello", 2 / 4.5 + 0.4)],
)
def test_it_is_as_long_as_it_takes_to_speak(text, seconds):
    """4.5 characters or 2.5 words a second without a pause, and at least one second."""
    assert speech.duration_s(speech.syllables(text)) == pytest.approx(max(1, seconds))
    with av.open(io.BytesIO(rendered(text))) as container:
        assert container.duration / 1e6 == pytest.approx(max(1, seconds), abs=0.15)


def longest_silence_s(sound):
    """The longest time without a sample above a hundredth of full scale."""
    loud = [-1, *(at for at, value in enumerate(array("h", sound)) if abs(value) > 327), len(sound) // 2]
    return max(later - before - 1 for before, later in pairwise(loud)) / speech.SAMPLE_RATE


@pytest.mark.parametrize(
    ("text", "shortest_s", "longest_s"),
    [
        ("One two. Three four.", 0.5, 0.8),
        ("一二。三四！", 0.5, 0.8),
        ('He said "no." Then he left', 0.5, 0.8),
        ("A title\n\nA text", 0.5, 0.8),
        ("One, two three", 0.2, 0.2),
        ("一，二三四五", 0.2, 0.2),
        ("One\ntwo 1,299.99 3:30 example.com", 0, 0),
    ],
)
def test_a_voice_pauses_as_long_as_the_text_decides(text, shortest_s, longest_s):
    """At the ends of sentences and at commas; in the sound each pause is silent."""
    spoken = speech.syllables(text)
    pauses_s = [after.start_s - before.end_s for before, after in pairwise(spoken)]
    assert shortest_s - 1e-6 <= max(pauses_s) <= longest_s + 1e-6
    sound = speech.sound(spoken, text, "en-US-GuyNeural", speech.duration_s(spoken))
    assert max(pauses_s) <= longest_silence_s(sound) < max(pauses_s) + 0.15
    assert speech.syllables(text) == spoken


def test_it_sounds_like_speech_and_hurts_nobody():
    """Neither silence nor noise at the limit, and each voice has its pitch."""
    text = "你好，你好"
    spoken = speech.syllables(text)
    sound = speech.sound(spoken, text, "zh-CN-XiaohanNeural", 2.0)
    samples = array("h", sound)
    assert len(samples) == 2 * speech.SAMPLE_RATE
    assert 2000 < max(map(abs, samples)) < 16000
    assert max(map(abs, samples[-100:])) == 0
    assert sound != speech.sound(spoken, text, "en-US-GuyNeural", 2.0)


@pytest.mark.parametrize("text", ["\x00\x07\ud800", "\n\n", "🎉👩‍👩‍👧 é e\u0301", "a" * 3000, "سلام", "ส"])
def test_any_text_can_be_rendered(text):
    """Though not every script has its glyphs."""
    assert len(pictures(rendered(text, pronouncer="x" * 200))) == 12


def test_a_rendering_can_be_given_up():
    """The emulator's end does not wait for it."""
    with pytest.raises(RenderingStopped):
        render(text="字", pronouncer="", photo=None, should_stop=lambda: True)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("   ", 0),
        ("，。！ ... — !", 0),
        ("你好，世界", 4),
        ("hello, world!", 2),
        ("well-known don't", 2),
        ("你好world啊", 4),
        ("2024年", 2),
        ("こんにちは", 5),
        ("ラーメン", 4),
        ("안녕하세요 여러분", 2),
        ("한국어,영어", 2),
        ("one/two—three --four", 4),
        ("1,299.99 seven,eight", 3),
        ("ሰላም፡ለዓለም", 2),
        ("ne\u0301e", 1),
        ("one\u200btwo", 2),
        ("𠀀𠀁", 2),
        ("สวัสดี", 4),  # six code points, two of which are marks on a letter
    ],
)
def test_what_a_word_is(text, count):
    """A letter of an unspaced script, or a run of letters and digits; punctuation is none."""
    assert len(words(text)) == count


def test_the_limit_does_not_count_a_guess():
    """Where a word of Thai ends takes a dictionary."""
    assert limited_words("สวัสดี hello 你好") == 3


@given(st.text(max_size=80))
def test_words_lie_in_order_in_the_text(text):
    """None overlaps another, and none is empty."""
    found = words(text)
    assert all(word.start < word.end <= len(text) for word in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


@given(st.text(alphabet="字，。“”ab .\n", max_size=80))
def test_lines_hold_the_text_and_no_line_is_too_wide(text):
    """Nothing is lost; closing punctuation begins no line unless there is nowhere else to break."""
    lines = lay_out(text, lambda piece: float(len(piece)), 10)
    assert "".join(text[line.start : line.end] for line in lines) == text
    assert all(len(text[line.start : line.end].rstrip()) <= 10 for line in lines)
