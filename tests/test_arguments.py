"""What may be sent: tables of good and bad arguments, and what the errors say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_twinsync.arguments import (
    checked_pronouncer,
    checked_task_id,
    checked_text,
    checked_url,
    count_words,
)
from airflow_provider_twinsync.exceptions import TwinSyncError, UsageError
from airflow_provider_twinsync.protocol import build_status, build_submit

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_WORDS = 150
#: No message is longer, whatever the argument is: a log line, and not a log.
MAX_MESSAGE_CHARACTERS = 500
EXAMPLE: dict[str, Any] = {
    "text": "你好，我是会说话的照片数字人",
    "image_url": "https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
    "pronouncer": "zh-CN-XiaohanNeural",
}


class Unshowable:
    """A thing whose repr has two lines."""

    def __repr__(self) -> str:
        return "two\nlines"


def submit_error(**changes: Any) -> str:
    """Give the message of the error that a changed example brings."""
    with pytest.raises(UsageError) as caught:
        build_submit(**{**EXAMPLE, **changes}, key="secret-key")
    return str(caught.value)


# ------------------------------------------------------------------------------------------------------ text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", 0, id="empty"),
        pytest.param(" \t\n\u3000", 0, id="spaces of all kinds"),
        pytest.param("... -- !?", 0, id="punctuation"),
        pytest.param("，。！？「」…—", 0, id="Chinese punctuation"),
        pytest.param("😀🎉👩‍👩‍👧", 0, id="emoji"),
        pytest.param("hello", 1, id="a word"),
        pytest.param("  hello ,  world ! ", 2, id="punctuation between spaces"),
        pytest.param("Don't stop: it's Ms. O’Brien's", 5, id="apostrophes"),
        pytest.param("state-of-the-art", 1, id="hyphens"),
        pytest.param("3.14 1,000,000 42% 7", 4, id="numbers"),
        pytest.param("١٢٣ ４５", 2, id="other digits"),
        pytest.param("naïve café e\u0301te\u0301", 3, id="accents, composed and not"),
        pytest.param("Привет, мир", 2, id="Russian"),
        pytest.param("नमस्ते दुनिया", 2, id="Hindi"),
        pytest.param("مرحبا بالعالم", 2, id="Arabic"),
        pytest.param("你好，我是会说话的照片数字人", 13, id="the document's example"),
        pytest.param("こんにちは、セカイ", 8, id="Japanese"),
        pytest.param("ｶﾀｶﾅ", 4, id="halfwidth Katakana"),
        pytest.param("안녕하세요 여러분", 8, id="Korean"),
        pytest.param("กขค", 3, id="Thai"),
        pytest.param("ສບ", 2, id="Lao"),
        pytest.param("មក", 2, id="Khmer"),
        pytest.param("𠀀𪜀", 2, id="rare Chinese characters"),
        pytest.param("〇二", 2, id="Chinese zero"),
        pytest.param("iPhone手机15 Pro", 5, id="mixed: a change of script ends a word"),
        pytest.param("手hello机", 3, id="mixed: a word between characters"),
        pytest.param("你好😀世界", 4, id="emoji between characters"),
    ],
)
def test_words_are_counted_as_the_limit_counts_them(text: str, words: int) -> None:
    """Each character of an unspaced script is a word; elsewhere a run between spaces is."""
    assert count_words(text) == words


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("你" * 150, id="Chinese"),
        pytest.param("한" * 150, id="Korean"),
        pytest.param("word " * 150, id="English"),
        pytest.param("你a" * 75, id="mixed"),
        pytest.param("你。！" * 150, id="with punctuation"),
    ],
)
def test_a_text_may_have_as_many_words_as_the_limit_and_not_one_more(text: str) -> None:
    """The text is handed on as it is, character for character."""
    assert checked_text(text, LIMIT_WORDS) == text
    with pytest.raises(UsageError, match=r"^text has 151 words, and the limit is 150: .*text_limit_words"):
        checked_text(text + "你", LIMIT_WORDS)


def test_another_limit_is_a_setting() -> None:
    """An account may have another limit than the documented one."""
    assert checked_text("one two three", 3)
    assert "text has 3 words, and the limit is 2" in submit_error(text="one two three", text_limit_words=2)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("", "''", id="empty"),
        pytest.param(" \n", r"' \n'", id="white space"),
        pytest.param("?!…", "'?!…'", id="punctuation"),
        pytest.param("😀", "'😀'", id="emoji"),
        pytest.param(None, "None", id="None"),
        pytest.param(5, "5 (int)", id="a number"),
        pytest.param(b"hello", "b'hello' (bytes)", id="bytes"),
        pytest.param(["hello"], "['hello'] (list)", id="a list"),
    ],
)
def test_a_text_with_nothing_to_speak_is_refused(text: Any, shown: str) -> None:
    """The error names the argument, shows it and says what is wanted."""
    message = submit_error(text=text)
    assert message.startswith(f"text is {shown}")
    assert "something to speak" in message


# ----------------------------------------------------------------------------------------------------- photo


@pytest.mark.parametrize(
    "url",
    [
        EXAMPLE["image_url"],
        "http://example.com/a.jpg",
        "HTTPS://EXAMPLE.com/A.JPG",
        "http://example.com:8080/a.jpg?size=1&x=%20#top",
        "http://[::1]:8000/a.jpg",
        "http://[2001:db8::1]/a.jpg",
        "http://192.0.2.1/a.jpg",
        "https://example.com",
        "https://例子.测试/照片.jpg",
    ],
)
def test_the_address_of_a_photo_is_http_or_https(url: str) -> None:
    """It is sent as it is, without the white space around it."""
    request = build_submit(**{**EXAMPLE, "image_url": f" {url}\n"}, key="k")
    assert request.form is not None
    assert request.form["image_url"] == url


BAD_URLS = [
    pytest.param(None, id="None"),
    pytest.param("", id="empty"),
    pytest.param("   ", id="spaces"),
    pytest.param("None", id="an empty template"),
    pytest.param("example.com/a.jpg", id="no scheme"),
    pytest.param("//example.com/a.jpg", id="only slashes"),
    pytest.param("/tmp/photo.jpg", id="a path"),
    pytest.param("file:///tmp/photo.jpg", id="file"),
    pytest.param("ftp://example.com/a.jpg", id="ftp"),
    pytest.param("s3://bucket/a.jpg", id="s3"),
    pytest.param("data:image/png;base64,AAAA", id="data"),
    pytest.param("http://", id="no host"),
    pytest.param("http:///a.jpg", id="no host, a path"),
    pytest.param("http://:80/a.jpg", id="no host, a port"),
    pytest.param("http:example.com", id="no slashes"),
    pytest.param("http://example.com/my photo.jpg", id="a space inside"),
    pytest.param("http://example.com/a\tb.jpg", id="a tab"),
    pytest.param("http://example.com/a\r\nHost: b", id="a line break"),
    pytest.param("http://example.com/a\x00.jpg", id="a zero byte"),
    pytest.param("http://example.com/a\x7f.jpg", id="delete"),
    pytest.param("http://example.com/a\u2028b.jpg", id="a line separator"),
    pytest.param("http://example.com/a\u3000b.jpg", id="an ideographic space"),
    pytest.param("http://example.com:port/a.jpg", id="a port that is no number"),
    pytest.param("http://example.com:99999/a.jpg", id="a port that is too large"),
    pytest.param("http://[::1/a.jpg", id="half an IPv6 address"),
    pytest.param(b"http://example.com/a.jpg", id="bytes"),
    pytest.param(["http://example.com/a.jpg"], id="a list"),
    pytest.param(5, id="a number"),
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_what_is_no_http_address_is_refused(url: Any) -> None:
    """The error names the argument, shows it and says what is wanted."""
    message = submit_error(image_url=url)
    assert message.startswith(f"image_url is {url!r}")
    assert "the http or https address of a photo" in message


# ----------------------------------------------------------------------------------------------------- voice


@pytest.mark.parametrize(
    "voice",
    [
        "zh-CN-XiaohanNeural",
        "en-US-JennyNeural",
        "fil-PH-AngeloNeural",
        "wuu-CN-XiaotongNeural",
        "sr-Latn-RS-NicholasNeural",
        "iu-Cans-CA-SiqiniqNeural",
        "zh-CN-liaoning-XiaobeiNeural",
        "en-US-AvaMultilingualNeural",
        "en-US-JennyMultilingualV2Neural",
        "en-US-AIGenerate1Neural",
        "en-US-Ava:DragonHDLatestNeural",
        "zh-CN-Xiaochen:DragonHDFlashLatestNeural",
    ],
)
def test_the_names_of_microsofts_voices_are_accepted(voice: str) -> None:
    """Also with a script, a subregion or a model; white space around it is left out."""
    assert checked_pronouncer(f" {voice}\n") == voice


@pytest.mark.parametrize(
    "voice",
    [
        None,
        "",
        "None",
        5,
        b"zh-CN-XiaohanNeural",
        "Xiaohan",
        "XiaohanNeural",
        "zh-CN",
        "zh-CN-",
        "zh-cn-xiaohanneural",
        "ZH-CN-XiaohanNeural",
        "zh_CN_XiaohanNeural",
        "zh-CN-Xiaohan Neural",
        "zh-CN-XiaohanNeural\nen-US-JennyNeural",
        "zh-CN-晓涵",
        "Microsoft Server Speech Text to Speech Voice (zh-CN, XiaohanNeural)",
        "en-US-Ava:",
    ],
)
def test_what_does_not_look_like_a_voice_is_refused(voice: Any) -> None:
    """The error names the argument, shows it and gives an example that is accepted."""
    message = submit_error(pronouncer=voice)
    assert message.startswith(f"pronouncer is {voice!r}")
    assert "'zh-CN-XiaohanNeural'" in message


# -------------------------------------------------------------------------------------------------------- id


@pytest.mark.parametrize("task_id", ["20230423_11_23_05_10279", "a", "任务/1?&=#", "0"])
def test_an_id_is_any_text_without_the_space_around_it(task_id: str) -> None:
    """The document does not say what ids look like, so none is guessed to be wrong."""
    request = build_status(f" {task_id}\n")
    assert (request.method, request.params, request.form) == ("GET", {"taskID": task_id}, None)


@pytest.mark.parametrize(
    "task_id", [None, "None", " None ", "", "  \n", 5, 20230423, True, b"id", ["id"], {}]
)
def test_what_is_no_id_is_refused(task_id: Any) -> None:
    """The error shows it, gives an example, and says where to look for the cause."""
    with pytest.raises(UsageError) as caught:
        build_status(task_id)
    message = str(caught.value)
    assert message.startswith(f"twinsync_task_id is {task_id!r}")
    assert "'20230423_11_23_05_10279'" in message
    assert "TwinSyncSubmitOperator" in message


# -------------------------------------------------------------------------------------------------- messages

CHECKS: dict[str, Callable[[Any], object]] = {
    "text": lambda value: checked_text(value, LIMIT_WORDS),
    "image_url": lambda value: checked_url("image_url", value, "an address"),
    "pronouncer": checked_pronouncer,
    "twinsync_task_id": checked_task_id,
}


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
    """Whatever was given: it lands in a log, an alert and a database column."""
    with pytest.raises(UsageError) as caught:
        CHECKS[argument](HUGE[kind])
    message = str(caught.value)
    assert message.startswith(f"{argument} ")
    assert message.isprintable()
    assert len(message) <= MAX_MESSAGE_CHARACTERS


@pytest.mark.parametrize("argument", ["text", "image_url", "twinsync_task_id"])
def test_a_text_that_cannot_be_encoded_is_refused(argument: str) -> None:
    """Half a surrogate pair has no UTF-8 form, so it cannot be sent."""
    with pytest.raises(UsageError, match=f"^{argument} "):
        CHECKS[argument]("http://example.com/\ud800")


def test_an_error_of_usage_is_a_value_error_of_this_package() -> None:
    """Either can be caught; nothing was sent, and the same again gets the same error."""
    assert issubclass(UsageError, TwinSyncError)
    assert issubclass(UsageError, ValueError)
    assert UsageError.retryable is False


@pytest.mark.parametrize("argument", ["text", "image_url", "pronouncer"])
def test_an_error_about_an_argument_does_not_show_the_key(argument: str) -> None:
    """The key stands beside the arguments, and not in their errors."""
    assert "secret-key" not in submit_error(**{argument: None})
