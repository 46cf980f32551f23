"""Arguments that are right, and the codes and data of the errors of wrong ones."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from support.arguments import CHECKS, EXAMPLE, LIMIT_WORDS, refused

from airflow_provider_twinsync._api.status import build_status
from airflow_provider_twinsync._api.validation import check_constants, checked_text, warnings_of
from airflow_provider_twinsync.exceptions import TwinSyncError, UsageError

ANY_LANGUAGE = "en-US-AvaMultilingualNeural"
#: No message is longer, for any argument: a log line, and not a log.
MAX_MESSAGE_CHARACTERS = 500


class Unshowable:
    """An object with a repr of two lines."""

    def __repr__(self) -> str:
        return "two\nlines"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("你" * 150, id="Chinese"),
        pytest.param("한국어 " * 150, id="Korean"),
        pytest.param("word " * 150, id="English"),
        pytest.param("你a" * 75, id="mixed"),
        pytest.param("你。！" * 150, id="with punctuation"),
    ],
)
def test_a_text_may_have_as_many_words_as_the_limit_and_not_one_more(text: str) -> None:
    """The text is returned unchanged."""
    assert checked_text(text, LIMIT_WORDS) == text
    with pytest.raises(UsageError, match=r"^TS109 text .*\b151\b.*\b150\b.*text_limit_words"):
        checked_text(text + "你", LIMIT_WORDS)


def test_another_limit_is_a_setting() -> None:
    """An account may have another limit than the documented one."""
    assert checked_text("one two three", 3)
    error = refused(text="one two three", text_limit_words=2)
    assert error.code == "TS109"
    assert re.search(r"\b3 words\b.*\b2\b.* 'one two three'", str(error))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("", "''", id="empty"),
        pytest.param(" \n", r"' \n'", id="white space"),
        pytest.param("?!…", "'?!…'", id="punctuation"),
        pytest.param(None, "None", id="None"),
        pytest.param(5, "5 (int)", id="a number"),
        pytest.param(b"hello", "b'hello' (bytes)", id="bytes"),
        pytest.param(["hello"], "['hello'] (list)", id="a list"),
    ],
)
def test_a_text_with_nothing_to_speak_is_refused(text: Any, shown: str) -> None:
    """The error names and shows the argument."""
    assert str(refused(text=text)).startswith(f"TS101 text is {shown}")


@pytest.mark.parametrize("text", ["😀", "♥ ★", "∑"])
def test_a_text_of_symbols_is_sent(text: str) -> None:
    """A voice may speak them; only punctuation and spaces are silent for certain."""
    assert checked_text(text, LIMIT_WORDS) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ก" * 1_000, id="Thai"),
        pytest.param("ไทย " * 200, id="Thai phrases"),
        pytest.param("ລາວ " * 200, id="Lao"),
        pytest.param("ខ្មែរ" * 200, id="Khmer"),
        pytest.param("မြန်မာ" * 200, id="Burmese"),
        pytest.param("word " * 150 + "ก", id="mixed"),
    ],
)
def test_where_words_are_a_guess_a_long_text_is_sent_with_a_warning(text: str) -> None:
    """Words of these scripts cannot be counted without a dictionary; certain words still count."""
    assert checked_text(text, LIMIT_WORDS) == text
    (warning,) = warnings_of(text, ANY_LANGUAGE, LIMIT_WORDS)
    assert warning.startswith("TS106 ")
    assert warnings_of("ก" * LIMIT_WORDS, ANY_LANGUAGE, LIMIT_WORDS) == []
    assert len(warnings_of("ก" * (LIMIT_WORDS + 1), ANY_LANGUAGE, LIMIT_WORDS)) == 1
    error = refused(text=text + " word" * (1 if "word" in text else 151))
    assert error.code == "TS109"
    assert "151 words" in str(error)


@pytest.mark.parametrize("character", ["a", "-", "😀", " ", "ก", "\u0301", "\ud800"])
def test_a_text_of_absurd_length_is_refused_unread(character: str) -> None:
    """Twenty megabytes without a space are one word; a long text is refused before it is searched."""
    began = time.process_time()
    error = refused(text=character * 20_000_000)
    assert time.process_time() - began < 0.5
    assert error.code == "TS102"
    assert {"20000000", "150", "30000."} <= set(str(error).split())


def test_no_text_of_long_words_is_too_long() -> None:
    """A hundred and fifty of the longest words that were ever printed pass."""
    german = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"
    assert checked_text(f"{german} " * LIMIT_WORDS, LIMIT_WORDS)
    assert checked_text("a" * 30_000, LIMIT_WORDS)
    assert refused(text="a" * 30_001).code == "TS102"


def test_the_name_of_a_file_is_not_spoken() -> None:
    """It came from a template or an XCom, where Airflow reads no file."""
    with pytest.raises(UsageError, match=r"^TS110 text is 'news\.txt'"):
        checked_text("news.txt", 150)
    assert checked_text("Read news.txt now.", 150)
    assert checked_text("news.txt.", 150)


@pytest.mark.parametrize("task_id", ["20230423_11_23_05_10279", "a", "任务/1?&=#", "0", "1" * 250])
def test_an_id_is_any_text_without_the_space_around_it(task_id: str) -> None:
    """The document does not describe ids, so no text is refused for its form."""
    request = build_status(f" {task_id}\n")
    assert (request.method, request.params, request.form) == ("GET", {"taskID": task_id}, None)


@pytest.mark.parametrize(
    "task_id", [None, "None", " None ", "", "  \n", 5, 20230423, True, b"id", ["id"], {}]
)
def test_what_is_no_id_is_refused(task_id: Any) -> None:
    """The error shows it, with an example and its source."""
    with pytest.raises(UsageError) as caught:
        build_status(task_id)
    message = str(caught.value)
    assert message.startswith(f"TS113 twinsync_task_id is {task_id!r}")
    assert "'20230423_11_23_05_10279'" in message
    assert "TwinSyncSubmitOperator" in message


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "None"},
        {"text": "?!"},
        {"text": ""},
        {"image_url": "photo.jpg"},
        {"image_url": "s3://key:secret@bucket/a.jpg"},
        {"pronouncer": "Xiaohan"},
        {"pronouncer": ""},
    ],
    ids=str,
)
def test_a_constant_that_is_never_right_is_refused_when_the_dag_is_parsed(changes: dict[str, Any]) -> None:
    """The message is the same as before the submit."""
    with pytest.raises(UsageError) as caught:
        check_constants(**{**EXAMPLE, **changes})
    assert str(caught.value) == str(refused(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"text": "{{ params.text }}"},
        {"text": "{% include 'news.txt' %}"},
        {"text": "news.txt"},
        {"text": "word " * 1_000},  # a connection may have another limit
        {"image_url": "{{ params.photo }}"},
        {"pronouncer": "{{ params.voice }}"},
        {"pronouncer": "en-US-NewerShape"},
        dict.fromkeys(("text", "image_url", "pronouncer"), ()),  # no text, as an XCom
    ],
    ids=str,
)
def test_what_may_be_right_when_the_task_runs_is_not_refused_before(changes: dict[str, Any]) -> None:
    """Templates, XComs, names of files, and texts, as the connection has their limit."""
    check_constants(**{**EXAMPLE, **changes})


HUGE: dict[str, Any] = {
    "a long text": "word " * 100_000,
    "much white space": " " * 100_000,
    "control characters": "\x00\n" * 50_000,
    "a long list": ["x"] * 100_000,
    "a long number": 10**4_000,
    "many bytes": b"x" * 100_000,
    "a repr of two lines": Unshowable(),
}


@pytest.mark.parametrize(
    ("argument", "kind"),
    [
        (argument, kind)
        for argument in CHECKS
        for kind in HUGE
        if (argument, kind) != ("twinsync_task_id", "a long text")  # any text is an id
    ],
)
def test_a_message_is_one_line_of_bounded_length(argument: str, kind: str) -> None:
    """For any value: the message goes to a log, an alert and a database column."""
    with pytest.raises(UsageError) as caught:
        CHECKS[argument](HUGE[kind])
    message = str(caught.value)
    assert message.startswith(f"{caught.value.code} {argument} ")
    assert message.isprintable()
    assert len(message) <= MAX_MESSAGE_CHARACTERS


@pytest.mark.parametrize("argument", ["text", "image_url", "twinsync_task_id"])
def test_a_text_that_cannot_be_encoded_is_refused(argument: str) -> None:
    """Half a surrogate pair has no UTF-8 form, so it cannot be sent."""
    with pytest.raises(UsageError, match=rf"^TS1\d\d {argument} "):
        CHECKS[argument]("http://example.com/\ud800")


def test_an_error_of_usage_is_a_value_error_of_this_package() -> None:
    """Either can be caught; nothing was sent, and another try raises the same error."""
    assert issubclass(UsageError, TwinSyncError)
    assert issubclass(UsageError, ValueError)
    assert UsageError.retryable is False


@pytest.mark.parametrize("argument", ["text", "image_url", "pronouncer"])
def test_an_error_about_an_argument_does_not_show_the_key(argument: str) -> None:
    """The key is an argument too, and in no error."""
    assert "secret-key" not in str(refused(**{argument: None}))
