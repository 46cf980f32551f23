"""Captions begin when their sentences are spoken, and have all words of the text."""

from __future__ import annotations

import re
from functools import partial
from itertools import pairwise

import pytest
from support.films import make
from support.spoken import LANGUAGES, film, heard_starts, script, spoken_by_a_person, starts_s

from airflow_provider_twinsync._content.captions.captions import Spoken, captions
from airflow_provider_twinsync._content.joined.join import join
from airflow_provider_twinsync.emulator import speech
from airflow_provider_twinsync.emulator.video import render
from airflow_provider_twinsync.exceptions import DownloadInterruptedError, DownloadRefusedError

VOICE = "en-US-JennyNeural"
SENTENCES = ["The sun is up, and the sky is clear. ", "Nobody is awake. ", "At noon the train leaves!"]


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def check_form(found, text, length_s):
    """All that holds for captions at ordinary speed."""
    assert squeezed("".join(caption.text for caption in found)) == squeezed(text)
    assert found[0].start_s >= 0
    assert found[-1].end_s <= length_s + 0.001
    assert all(one.end_s <= other.start_s for one, other in pairwise(found))
    for caption in found:
        assert 0.999 <= caption.end_s - caption.start_s <= 7.001
        assert len(caption.text.split("\n")) <= 2


def share_in_time(late_s):
    share = sum(abs(late) <= 0.3 for late in late_s) / len(late_s)
    return share, f"{share:.1%} of {len(late_s)} sentences are within 0.3 s"


@pytest.mark.slow
def test_sentences_of_the_emulator_begin_with_their_captions(tmp_path):
    """At least 95 % within 0.3 s, of 64 texts in 8 languages."""
    late_s = []
    for language in LANGUAGES:
        for seed in range(8):
            written = script(language, seed, 12)
            spoken = speech.syllables(written.text)
            sound = partial(speech.sound, spoken, written.text, written.pronouncer)
            length_s = film(tmp_path / "a.mp4", spoken, sound)
            found = captions(tmp_path / "a.mp4", [Spoken(written.text, 0.0, length_s)], written.pronouncer)
            check_form(found, written.text, length_s)
            late_s += heard_starts(written.sentences, starts_s(written.sentences, spoken), found)
    share, message = share_in_time(late_s)
    assert len(late_s) > 80
    assert share >= 0.95, message


@pytest.mark.slow
def test_sentences_of_a_person_begin_with_their_captions(tmp_path):
    """The speed varies, some sentences have no pause, and some pauses no sentence: 95 % within 0.3 s."""
    late_s = []
    for language in LANGUAGES:
        for seed in range(4):
            written = script(language, seed, 45)
            spoken = spoken_by_a_person(written.text, f"{language} {seed}")
            length_s = film(tmp_path / "a.mp4", spoken)
            found = captions(tmp_path / "a.mp4", [Spoken(written.text, 0.0, length_s)], written.pronouncer)
            check_form(found, written.text, length_s)
            late_s += heard_starts(written.sentences, starts_s(written.sentences, spoken), found)
    share, message = share_in_time(late_s)
    assert len(late_s) > 90
    assert share >= 0.95, message


def test_the_parts_of_a_joined_video_have_their_own_times(tmp_path):
    """In videos of the emulator: each part begins where the join put it."""
    voice, texts = VOICE, ["".join(SENTENCES), "It rains. Take a coat, please. Good night to all of you!"]
    files = []
    for number, text in enumerate(texts):
        files.append(tmp_path / f"{number}.mp4")
        files[-1].write_bytes(render(text=text, pronouncer=voice, photo=None, should_stop=lambda: False))
    joined = join(files, tmp_path / "joined.mp4")
    ends_s = [*joined.starts_s[1:], joined.duration_s]
    parts = [Spoken(*one) for one in zip(texts, joined.starts_s, ends_s, strict=True)]
    found = captions(tmp_path / "joined.mp4", parts, voice)
    check_form(found, "".join(texts), joined.duration_s)
    for part, sentences in zip(
        parts, (SENTENCES, ["It rains. ", "Take a coat, please. ", "Good night to all of you!"]), strict=True
    ):
        true_s = [part.start_s + at for at in starts_s(sentences, speech.syllables(part.text))]
        own = [caption for caption in found if part.start_s <= caption.start_s < part.end_s]
        late_s = heard_starts(sentences, true_s, own)
        assert len(late_s) == 3
        assert max(map(abs, late_s)) < 0.1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_video_without_sound_has_captions_in_proportion(tmp_path, language):
    """Silent or without a stream of sound: each sentence gets its share of the time."""
    written = script(language, 1, 25)
    length_s = speech.duration_s(speech.syllables(written.text))
    silent = make(tmp_path / "silent.mp4", count=int(length_s * 12), rate=None)
    found = captions(silent, [Spoken(written.text, 0.0, length_s)], written.pronouncer)
    check_form(found, written.text, length_s)
    assert found[0].start_s == 0
    assert found[-1].end_s == pytest.approx(length_s, abs=0.1)
    shares = [len(squeezed(caption.text)) / len(squeezed(written.text)) for caption in found]
    times = [(later.start_s - caption.start_s) / length_s for caption, later in pairwise(found)]
    assert all(abs(share - time) < 0.12 for share, time in zip(shares, times, strict=False))


def test_a_short_sentence_shares_a_caption(tmp_path):
    """A caption is readable: "No." lasts less than a second."""
    text = "No. Yes. No. The train to the sea is late again."
    spoken = [speech.Syllable(one.word, one.start_s / 2, one.end_s / 2) for one in speech.syllables(text)]
    length_s = film(tmp_path / "a.mp4", spoken)
    found = captions(tmp_path / "a.mp4", [Spoken(text, 0.0, length_s)], VOICE)
    check_form(found, text, length_s)
    assert found[0].text.startswith("No. Yes")


@pytest.mark.parametrize(("words", "pronouncer"), [(300, VOICE), (1, VOICE), (400, "zh-CN-XiaohanNeural")])
def test_the_text_of_another_video_is_refused(tmp_path, words, pronouncer):
    """Too long or too short for the video; the message has the length of the video, and the possible ones."""
    video = make(tmp_path / "a.mp4", count=12 * 20)
    text = "字" * words if pronouncer.startswith("zh") else "word " * words
    with pytest.raises(DownloadRefusedError) as raised:
        captions(video, [Spoken(text, 0.0, 20.0)], pronouncer)
    assert (raised.value.code, raised.value.retryable) == ("TS535", False)
    assert str(words) in str(raised.value)
    assert "20.0 s" in str(raised.value)


def test_each_part_has_to_fit(tmp_path):
    """The second part of the text is not this video's; a part beyond the end has no time at all."""
    video = make(tmp_path / "a.mp4", count=12 * 12)
    for parts in (
        [Spoken("word " * 15, 0.0, 6.0), Spoken("word " * 90, 6.0, 12.0)],
        [Spoken("word " * 15, 0.0, 12.0), Spoken("word " * 15, 12.0, 24.0)],
    ):
        with pytest.raises(DownloadRefusedError, match="part 2") as raised:
            captions(video, parts, VOICE)
        assert raised.value.code == "TS535"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A title\n\nA text of some words\tand\r\nlines", "A title\nA text of some words and lines"),
        ("\x00a\x07b \ud800 c", "ab \ufffd c"),
        ("  \n ", ""),
        ("🎉👩‍👩‍👧 !", "🎉👩‍👩‍👧 !"),
    ],
)
def test_odd_characters_stay_out_of_the_lines(tmp_path, text, shown):
    """A line is one line; a control character is in no caption."""
    video = make(tmp_path / "a.mp4", count=36)
    found = captions(video, [Spoken(text, 0.0, 3.0)], VOICE)
    assert squeezed("".join(caption.text for caption in found)) == squeezed(shown)
    assert all(line == " ".join(line.split()) for caption in found for line in caption.text.split("\n"))


def test_a_file_that_is_no_video_has_no_captions(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(DownloadRefusedError) as raised:
        captions(tmp_path / "a.mp4", [Spoken("Hello", 0.0, 1.0)], VOICE)
    assert raised.value.code == "TS536"
    with pytest.raises(DownloadInterruptedError) as missing:
        captions(tmp_path / "b.mp4", [Spoken("Hello", 0.0, 1.0)], VOICE)
    assert missing.value.code == "TS537"
