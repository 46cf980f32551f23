"""The form of captions, for any text and any times: lines, widths, times; nothing is lost."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_twinsync._content.captions.captions import Spoken, _places
from airflow_provider_twinsync._content.captions.lines import cut_to_captions, width
from airflow_provider_twinsync._content.captions.timing import Boundary, Clock, Pause

TEXTS = [
    line.split("\t")[2].replace("\\n", "\n")
    for line in (Path(__file__).parents[1] / "data" / "texts.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
#: A line of 42 narrow characters.
LINE = width("x" * 42)
ANY = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=200)
WORDS = st.lists(
    st.sampled_from(
        ["a", "be", "sea,", "rain.", "Mountain", "today", "12,5", "信息。", "新", "https://example.com/a/b?c"]
    )
)
SOME = st.one_of(
    ANY, WORDS.map(" ".join), st.sampled_from(TEXTS), ANY.map(lambda text: text.replace(" ", ""))
)
PAUSES = st.lists(st.tuples(st.floats(0, 60), st.floats(0.12, 2.0)), max_size=30).map(
    lambda drawn: [
        Pause(start, start + length)
        for (start, length), after in pairwise([*sorted(drawn), (90.0, 0.0)])
        if start + length < after[0]
    ]
)


def captions_of(text, length_s, pauses=(), pronouncer="en-US-JennyNeural"):
    places = _places(Spoken(text, 0.0, length_s), length_s, pauses, pronouncer)
    return cut_to_captions(text, places)


def squeezed(text):
    return re.sub(r"\s", "", text)


def check(text, found, length_s):
    lines = [line for caption in found for line in caption.lines]
    assert squeezed("".join(lines)) == squeezed(text)
    assert all(1 <= len(caption.lines) <= 2 for caption in found)
    assert all(line == line.strip() and "\n" not in line for line in lines)
    assert all(width(line) <= LINE for line in lines)
    assert all(-1e-6 <= caption.start_s <= caption.end_s <= length_s + 1e-6 for caption in found)
    assert all(one.end_s <= other.start_s + 1e-6 for one, other in pairwise(found))
    assert all(caption.end_s - caption.start_s < 7 + 1e-6 for caption in found)


@given(SOME, st.floats(1, 60), PAUSES)
def test_any_text_has_captions_of_the_right_form(text, length_s, pauses):
    """Of any characters, at any speed, with pauses anywhere: two lines at most, no overlap, nothing lost."""
    check(text, captions_of(text, length_s, pauses), length_s)


@given(SOME)
def test_a_character_with_its_marks_stays_together(text):
    """No line begins with a mark, or with the second half of an emoji."""
    for caption in captions_of(text, 30.0):
        for line in caption.lines[:]:
            at = squeezed(text).index(squeezed(line))
            assert not at or unicodedata.category(line[0])[0] != "M" or squeezed(text)[at - 1] in "\u200b"


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
def test_words_stay_whole(text):
    """A line ends where a space, a sign or a mark is; only a word longer than a line is cut."""
    found = captions_of(text, 60.0)
    check(text, found, 60.0)
    words = {word for word in re.findall(r"[^\W\d_]+", text) if word.isascii() and len(word) < 43}
    kept = {word for caption in found for line in caption.lines for word in re.findall(r"[^\W\d_]+", line)}
    assert words <= kept


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("All human beings are born free.", [["All human beings are born free."]]),
        (
            "All human beings are born free and equal in dignity and rights.",
            [["All human beings are born free", "and equal in dignity and rights."]],
        ),
        (
            "He was late, because the train from the sea did not come at all.",
            [["He was late, because the train", "from the sea did not come at all."]],
        ),
        (
            "They are endowed with reason and conscience and should act towards one another in a spirit, "
            "as people of one house.",
            [
                ["They are endowed with reason", "and conscience and should act"],
                ["towards one another in a spirit,", "as people of one house."],
            ],
        ),
        ("人人生而自由，在尊严和权利上一律平等。", [["人人生而自由，", "在尊严和权利上一律平等。"]]),
        ("x" * 60, [["x" * 30, "x" * 30]]),
    ],
)
def test_how_sentences_become_captions(text, lines):
    """One sentence, one caption, if it has room; lines of about equal length, and better at a comma."""
    assert [caption.lines for caption in captions_of(text, len(text) / 14)] == lines


def test_a_caption_of_a_slow_voice_ends_after_seven_seconds():
    [caption] = captions_of("Slowly.", 12.0)
    assert (caption.start_s, caption.end_s) == (0.0, 7.0)


def test_a_caption_stays_in_a_short_pause_and_leaves_in_a_long_one():
    """Captions that come and go within half a second flicker."""
    text = "The first sentence is this. The second sentence is this. The third sentence is this."
    one, two, three = captions_of(text, 9.4, [Pause(2.5, 2.9), Pause(5.4, 6.9)])
    assert (one.end_s, two.start_s) == (2.9, 2.9)
    assert (two.end_s, three.start_s) == (5.4, 6.9)


def test_captions_of_the_longest_text_are_quick():
    """Of characters without width too: no place is compared with all others."""
    for text in ("x" * 9_000, "\u200b" * 3_000, "字" * 2_000, "a, " * 1_000):
        check(text, captions_of(text, 3_000.0), 3_000.0)


@given(
    st.lists(st.tuples(st.floats(0.3, 8), st.booleans()), max_size=12),
    PAUSES,
    st.floats(0, 5),
    st.floats(5.1, 60),
)
def test_time_only_rises(drawn, pauses, start_s, end_s):
    """The speech before a place ends before the speech after it begins, and both are inside the part."""
    boundaries, weight_s = [], 0.0
    for length_s, is_sentence in drawn:
        weight_s += length_s
        boundaries.append(Boundary(weight_s, is_sentence))
    weight_s += 1.0
    clock = Clock(boundaries, weight_s, pauses, start_s, end_s)
    asked = sorted({*(one.weight_s for one in boundaries), *(weight_s * share / 7 for share in range(8))})
    times = [time for one in asked for time in (clock.end_s(one), clock.start_s(one))][1:-1]
    assert all(one <= other + 1e-6 for one, other in pairwise(times))
    assert start_s - 1e-6 <= times[0]
    assert times[-1] <= end_s + 1e-6
