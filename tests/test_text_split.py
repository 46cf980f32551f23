"""A long text is split where a voice pauses, and nothing is lost."""

from __future__ import annotations

import random
import re
import sys
import time
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.once import ONCE

from airflow_provider_twinsync._api.validation import checked_text
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.text import MAX_CHARACTERS_PER_WORD, count_words, is_silent, split_text

TEXTS = {
    kind: text
    for kind, _, text in (
        line.split("\t")
        for line in (Path(__file__).parent / "data" / "texts.tsv").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
}
LANGUAGES = ["en", "de", "fr", "es", "pt", "it", "tr", "vi", "pl", "fi", "sw", "ru", "uk", "el", "hy", "he"]
LANGUAGES += ["ar", "hi", "bn", "th", "my", "zh-Hans", "ja", "ko", "km"]
TEXTS |= {
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 이성을 부여받았다.",
    "km": "មនុស្សទាំងអស់កើតមកមានសេរីភាព និងភាពស្មើគ្នាក្នុងសិទ្ធិ។ ពួកគេមានវិចារណញ្ញាណ។",
}
STOPS = {"zh": "。！？", "ja": "。！？", "hi": "।", "bn": "।", "hy": "։", "my": "။", "km": "។", "ar": ".؟"}
PIECES = ["1,299.99", "12/31/2024", "23:59", "state-of-the-art", "e.g.", "https://example.com/a?b=1,2"]
PIECES += ["Dr. Li", "“Go.”", '"No!" ', "(yes)", "👨‍👩‍👧‍👦", "e\u0301te\u0301", '<break time="500ms"/>']
PIECES += ["\n\n", "5 %", "—", "..."]
HARD = [*PIECES, "word", "你", "ก", "เ", "ำ", "🇩🇪", "\u200f", "\ud83d"]
#: A letter or a digit of a script whose words end with something else.
LETTER = (
    r"(?![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9d])"
    r"[^\W_]"
)
INSIDE = re.compile(rf"{LETTER}\0{LETTER}|\d[.,]?\0[.,]?\d|[\u200d\r]\0\n?|\0[\u200d\u0301]")


def check(text: str, limit_words: int, language: str | None) -> list[str]:
    """Check all that each split has to hold."""
    parts = split_text(text, limit_words, language)
    assert "".join(parts) == text
    sizes = [count_words(part) for part in parts]
    assert max(sizes) <= limit_words
    assert sum(sizes) == count_words(text)
    assert max(sizes) <= 4 * min(sizes)
    for part in parts:
        assert checked_text(part, limit_words) == part
    for before, after in pairwise(parts):
        assert not INSIDE.search(f"{before[-2:]}\0{after[:2]}"), (before, after)
        assert unicodedata.category(after[0])[0] != "M"
        together = before + after
        assert count_words(together) > limit_words or len(together) > limit_words * MAX_CHARACTERS_PER_WORD
    return parts


def made(language: str, limit_words: int, rnd: random.Random) -> str:
    """Return a text over the limit, up to five times, with sentences of 1 to 60 words."""
    spaceless = language[:2] in ("zh", "ja", "th")
    stops = STOPS.get(language[:2], ".!?…")
    words = [*TEXTS[language]] if spaceless else TEXTS[language].split()
    sentences = []
    size, most = 0, rnd.randint(limit_words + 1, 5 * limit_words)
    while size < most:
        length = rnd.choice([1, 5, 10, 20, 60])
        start = rnd.randrange(len(words))
        chosen = [words[(start + i) % len(words)] for i in range(length)]
        if rnd.random() < 0.3:
            chosen.insert(rnd.randrange(length), rnd.choice(PIECES))
        if rnd.random() < 0.3:
            chosen[-1] += rnd.choice(",;:")
        sentence = ("" if spaceless else " ").join(chosen).capitalize() + rnd.choice(stops)
        sentences.append(sentence + rnd.choice(["", "\n\n", " "] if spaceless else [" ", " ", "\n\n", "  "]))
        size += max(1, count_words(sentence))
    return "".join(sentences)


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=[pytest.mark.slow, ONCE])])
def test_texts_of_many_languages_are_split(count: int) -> None:
    """Each part is within the limit and no small rest, no character is lost, no word is cut."""
    rnd = random.Random(14)
    assert len(set(LANGUAGES)) >= 20
    several = 0
    for number in range(count):
        language = LANGUAGES[number % len(LANGUAGES)]
        limit_words = rnd.choice([150, 40, 17, 17])
        parts = check(made(language, limit_words, rnd), limit_words, language)
        several += len(parts) > 1
    assert several > count * 0.9


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(HARD) | st.text()),
    st.integers(1, 12),
    st.sampled_from([None, "en", "xx", "zh-CN", ""]),
)
@example(["เกำ", "ก"], 1, "th")
def test_any_text_is_split_or_refused(pieces: list[str], limit_words: int, language: str | None) -> None:
    """An error comes only where characters that belong together are more words than a part may have."""
    text = " ".join(pieces)
    try:
        parts = split_text(text, limit_words, language)
    except UsageError as error:
        if error.code != "TS145":
            raise
        return
    assert "".join(parts) == text
    for part in parts if len(parts) > 1 else []:
        assert count_words(part) <= limit_words
        assert not is_silent(part)


@pytest.mark.parametrize(
    ("text", "limit_words", "parts"),
    [
        pytest.param("One two. Three four. Five six.", 4, 2, id="sentences"),
        pytest.param("One two one, four five six.", 4, ["One two one, ", "four five six."], id="a clause"),
        pytest.param("one two three four", 3, ["one two ", "three four"], id="spaces"),
        pytest.param("人人生而自由", 3, ["人人生", "而自由"], id="characters"),
        pytest.param("人人生，而自由人", 4, ["人人生，", "而自由人"], id="a Chinese comma"),
        pytest.param("He said “Go.” Then he left.", 4, ["He said “Go.” ", "Then he left."], id="a quote"),
        pytest.param("他说：“走。”我走了。", 5, ["他说：“走。”", "我走了。"], id="a Chinese quote"),
        pytest.param("Dr. Li paid. It was much.", 3, ["Dr. Li paid. ", "It was much."], id="a title"),
        pytest.param("A b.\n\n\n\nC d. ", 2, ["A b.\n\n\n\n", "C d. "], id="paragraphs"),
        pytest.param("A b. ... !!! C d.", 2, 2, id="punctuation belongs to a neighbour"),
        pytest.param(" \n A b c.", 2, 2, id="blanks at the beginning"),
        pytest.param("It costs 1,299.99 more", 3, ["It costs ", "1,299.99 more"], id="a number"),
        pytest.param("Of those it took 2 000 and more of all", 5, 3, id="a number with a space"),
        pytest.param(
            "See example.com/a?b=1 or ask", 5, ["See example.com/a?b=1 ", "or ask"], id="an address"
        ),
        pytest.param('Tom, hi <break time="500ms"/> Jerry, hello', 5, 2, id="a tag"),
        pytest.param("a\r\nb", 1, ["a\r\n", "b"], id="a line break of Windows"),
        pytest.param("कख गघ", 1, ["कख ", "गघ"], id="Hindi"),
        pytest.param("เกเก", 2, ["เก", "เก"], id="Thai vowels that come first"),
    ],
)
def test_the_best_places_come_first(text: str, limit_words: int, parts: list[str] | int) -> None:
    """The end of a sentence, then a pause in it, then a space, then a character."""
    found = split_text(text, limit_words, "zh" if "，" in text or "。" in text else "en")
    assert "".join(found) == text
    assert found == parts or len(found) == parts


def test_a_sentence_is_cut_only_if_it_is_too_long() -> None:
    """The only long one here, at its comma."""
    short, long = "Short ones are kept as they are. ", "word " * 80 + "end, " + "word " * 80 + "end. "
    parts = check(short * 10 + long + short * 10, 150, "en")
    assert [part.rstrip()[-1] for part in parts].count(",") == 1
    assert all(part.rstrip()[-1] in ",." for part in parts)


def test_parts_are_even() -> None:
    """One word over the limit makes two halves."""
    assert [count_words(part) for part in check("word " * 151, 150, None)] == [76, 75]
    assert {count_words(part) for part in check("Five words are in this. " * 120, 150, None)} == {150}


@pytest.mark.parametrize("text", ["", "?!", "one two", "คน", "word " * 150])
def test_a_text_within_the_limit_needs_nothing(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the only part, and no library is imported."""
    monkeypatch.setitem(sys.modules, "sentencex", None)
    assert split_text(text) == [text]


def test_a_long_text_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the command that installs it."""
    monkeypatch.setitem(sys.modules, "sentencex", None)
    with pytest.raises(UsageError) as caught:
        split_text("word " * 151)
    assert caught.value.code == "TS140"
    assert "pip install 'airflow-provider-twinsync[content]'" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((None,), "TS144"),
        ((b"text",), "TS144"),
        (("a" * 5_000_001,), "TS144"),
        (("text", 0), "TS144"),
        (("text", True), "TS144"),
        (("text", 1.5), "TS144"),
        (("text", "150"), "TS144"),
        (("text", 150, 5), "TS144"),
        (("a" * 40_000,), "TS145"),
        (("?!. " * 10_000,), "TS145"),
        (("word" + "." * 40_000,), "TS145"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value)[:20],
)
def test_a_wrong_argument_is_refused(arguments: tuple[Any, ...], code: str) -> None:
    """So is a text that no cut between words makes short enough."""
    with pytest.raises(UsageError) as caught:
        split_text(*arguments)
    assert caught.value.code == code
    assert len(str(caught.value)) < 300


def test_symbols_alone_are_split_by_characters() -> None:
    """They are no words, and still are spoken."""
    parts = split_text("😀👨‍👩‍👧‍👦🇩🇪❤️" * 4_000)
    assert [len(part) <= 150 * MAX_CHARACTERS_PER_WORD for part in parts] == [True, True]
    assert parts[1][0] in "😀👨🇩❤"


@pytest.mark.slow
@pytest.mark.parametrize("sentence", ["The fox, which was old, ran. ", "word ", "自由人", "a. "])
def test_a_book_takes_seconds(sentence: str) -> None:
    """The time grows with the text, and not with its square."""
    took = []
    for words in (20_000, 100_000):
        text = sentence * (words // count_words(sentence))
        begun = time.process_time()
        check_words = sum(count_words(part) for part in split_text(text))
        took.append(time.process_time() - begun)
        assert check_words == count_words(text)
    assert took[1] < 12 * took[0] + 1


@pytest.mark.slow
def test_empty_lines_take_no_time() -> None:
    """Each is a sentence of its own."""
    text = "\n" * 100_000 + "One two. " * 1_000
    begun = time.process_time()
    assert "".join(split_text(text, 1_000)) == text
    assert time.process_time() - begun < 10
