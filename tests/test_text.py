"""Words are counted as the limit on a text counts them."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

from airflow_provider_twinsync._api.validation import checked_text
from airflow_provider_twinsync.emulator.words import limited_words
from airflow_provider_twinsync.text import count_words, is_silent, word_count

TESTS = Path(__file__).parent
HOW_TO_SUBMIT = TESTS.parent / "docs" / "howto" / "submit.md"
CASES = [
    line.split("\t")
    for line in (TESTS / "data" / "texts.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", 0, id="empty"),
        pytest.param(" \t\n\u3000", 0, id="spaces of all kinds"),
        pytest.param("... -- !?", 0, id="punctuation"),
        pytest.param("，。！？「」…—", 0, id="Chinese punctuation"),
        pytest.param("😀🎉👩‍👩‍👧", 0, id="emoji"),
        pytest.param("___ __init__", 1, id="underscores"),
        pytest.param("hello", 1, id="a word"),
        pytest.param("  hello ,  world ! ", 2, id="punctuation between spaces"),
        pytest.param("Don't stop: it's Ms. O’Brien's", 5, id="apostrophes"),
        pytest.param("l'homme d'aujourd'hui", 2, id="elision"),
        pytest.param("state-of-the-art non\u2011stop", 2, id="hyphens"),
        pytest.param("co\u00adoperate", 1, id="a soft hyphen"),
        pytest.param("dictionnaire\u2014encyclopédie", 2, id="an em dash"),
        pytest.param("1914\u20131918 a\u2012b a\u2015b", 6, id="other dashes"),
        pytest.param("typed--dash typed---dash", 4, id="a dash of hyphens"),
        pytest.param("and/or left\\right", 4, id="slashes"),
        pytest.param("red,green,blue", 3, id="commas"),
        pytest.param("one;two:three|four…five", 5, id="other separators"),
        pytest.param("one...two..three", 3, id="an ellipsis of points"),
        pytest.param("e.g. example.com", 2, id="points"),
        pytest.param("a(b)c[d]e{f}g<h>i", 9, id="brackets"),
        pytest.param('say"this"now', 3, id="quotes"),
        pytest.param("a+b=c 3×4 a→b", 7, id="symbols"),
        pytest.param("foo@example.com", 2, id="an e-mail address"),
        pytest.param("3.14 1,000,000 42% 7", 4, id="numbers"),
        pytest.param("1’000’000 1.299,99 ١٬٠٠٠٫٥", 3, id="numbers of other countries"),
        pytest.param("12/31/2024 23:59", 5, id="a date and a time"),
        pytest.param("5,a a,5", 4, id="a comma beside one digit"),
        pytest.param("١٢٣ ４５", 2, id="other digits"),
        pytest.param("naïve café e\u0301te\u0301", 3, id="accents, composed and not"),
        pytest.param("Привет, мир", 2, id="Russian"),
        pytest.param("नमस्ते दुनिया।ठीक", 3, id="Hindi, with a danda"),
        pytest.param("مرحبا بالعالم،شكرا؛نعم", 4, id="Arabic, with its comma and semicolon"),
        pytest.param("می\u200cآیند", 1, id="Persian, with a zero-width non-joiner"),
        pytest.param("בית־ספר צה״ל", 2, id="Hebrew, with its hyphen and mark"),
        pytest.param("ինչպե՞ս ես", 2, id="Armenian, with a mark inside a word"),
        pytest.param("ሰላም፡ለዓለም።", 2, id="Ethiopic word space"),
        pytest.param("བཀྲ་ཤིས་བདེ་ལེགས", 4, id="Tibetan tsheg"),
        pytest.param("one\u200btwo", 2, id="a zero-width space"),
        pytest.param("你好，我是会说话的照片数字人", 13, id="the document's example"),
        pytest.param("こんにちは、セカイ", 8, id="Japanese"),
        pytest.param("ｶﾀｶﾅ ｶﾞ", 5, id="halfwidth Katakana, and its mark"),
        pytest.param("안녕하세요 여러분", 2, id="Korean"),
        pytest.param("안녕하세요,여러분", 2, id="Korean, with a comma"),
        pytest.param("iPhone은 좋다 ㅋㅋㅋ", 3, id="Korean, with Latin and single letters"),
        pytest.param("大韓民國은", 5, id="Korean, with Chinese characters"),
        pytest.param("กขค", 3, id="Thai"),
        pytest.param("ສບ", 2, id="Lao"),
        pytest.param("មក", 2, id="Khmer"),
        pytest.param("တူ၊", 1, id="Burmese, with its comma"),
        pytest.param("𠀀𪜀", 2, id="rare Chinese characters"),
        pytest.param("〇二", 2, id="Chinese zero"),
        pytest.param("ㄅㄆ", 2, id="Bopomofo"),
        pytest.param("iPhone手机15 Pro", 5, id="mixed: a change of script ends a word"),
        pytest.param("手hello机", 3, id="mixed: a word between characters"),
        pytest.param("你好😀世界", 4, id="emoji between characters"),
        pytest.param("\u3164\u115f", 0, id="invisible fillers"),
    ],
)
def test_words_are_counted_as_the_limit_counts_them(text: str, words: int) -> None:
    """A run of letters and digits is a word, and so is each character of a script without spaces."""
    assert count_words(text) == words


@pytest.mark.parametrize("text", [text for *_, text in CASES])
def test_a_text_has_as_many_words_in_each_of_its_forms(text: str) -> None:
    """Composed and decomposed: a file system, a keyboard or a database may change one into the other."""
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert count_words(composed) == count_words(decomposed) == count_words(text)


@pytest.mark.parametrize("text", ["ไทย ພາສາ", "ខ្មែរ", "မြန်မာ", "ᦷᦟᦰᦓ", "ᨲ᩠ᩅᩫ"])
def test_where_words_need_a_dictionary_the_count_is_a_guess(text: str) -> None:
    """Thai, Lao, Khmer, Burmese, and the scripts of their neighbours."""
    count = word_count(text)
    assert count.certain == 0
    assert count.guessed == count_words(text) > 1


def test_a_guess_is_kept_apart_from_what_is_certain() -> None:
    """In a mixed text, too."""
    assert word_count("Hello กข 你") == (2, 2)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, _, text in CASES])
def test_the_texts_of_many_languages_are_accepted(kind: str, text: str) -> None:
    """None is long, and each has words to speak."""
    assert checked_text(text, 150) == text, kind


def test_there_are_as_many_texts_as_there_should_be() -> None:
    """An empty file would pass the test above."""
    assert len(CASES) == 46


@pytest.mark.parametrize(
    "text", ["", " \n", "?!…", "—", "。", "«»", "\u200b\u200d", "\u0301", "\x07", "\u3164", "%"]
)
def test_a_text_of_punctuation_is_silent(text: str) -> None:
    """And so is a text of spaces, marks and invisible characters, such as a zero-width space."""
    assert is_silent(text)


@pytest.mark.parametrize(
    "text", ["a", "5", "你", "😀", "♥", "€", "→", "½", "∑", "❤️", "!😀", "\U0001fae9", "\ue000"]
)
def test_a_text_of_symbols_is_not_silent(text: str) -> None:
    """A voice may speak them; an emoji may be younger than this Python."""
    assert not is_silent(text)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, _, text in CASES])
def test_the_emulator_counts_alike(kind: str, text: str) -> None:
    """It has its own rule, and refuses no text that the checks accept."""
    assert limited_words(text) == word_count(text).certain, kind


def test_the_table_in_the_docs_is_true() -> None:
    """The columns that need no ICU, as dev/word_counts.py printed them, and which texts are in it."""
    section = HOW_TO_SUBMIT.read_text(encoding="utf-8").partition("## How words are counted")[2]
    rows = re.findall(r"(?m)^\| `([\w-]+)` \| (\d+) \| (\d+) \| (\d+) \|$", section)
    texts = {kind: text for kind, _, text in CASES}
    assert len(rows) > 5
    for kind, ours, icu, spaces in rows:
        assert (int(ours), int(spaces)) == (count_words(texts[kind]), len(texts[kind].split())), kind
        assert ours != icu
    (equal,) = re.findall(r"other (\d+) texts", section)
    assert int(equal) + len(rows) == len(texts)
