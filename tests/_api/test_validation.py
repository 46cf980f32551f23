"""Tables of good and bad arguments, with the codes and the data of their errors."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_twinsync._api.shown import shown_address, shown_text, shown_url
from airflow_provider_twinsync._api.status import build_status
from airflow_provider_twinsync._api.submit import build_submit, shown_job
from airflow_provider_twinsync._api.unrendered import refuse_unrendered
from airflow_provider_twinsync._api.validation import (
    check_constants,
    checked_photo,
    checked_pronouncer,
    checked_task_id,
    checked_text,
    checked_url,
    warnings_of,
)
from airflow_provider_twinsync.exceptions import TwinSyncError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_WORDS = 150
#: No message is longer, for any argument: a log line, and not a log.
MAX_MESSAGE_CHARACTERS = 500
EXAMPLE: dict[str, Any] = {
    "text": "你好，我是会说话的照片数字人",
    "image_url": "https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
    "pronouncer": "zh-CN-XiaohanNeural",
}


class Unshowable:
    """An object with a repr of two lines."""

    def __repr__(self) -> str:
        return "two\nlines"


class Signable:
    """An object in a store that is no path of the system, as an ObjectStoragePath."""

    def sign(self) -> str:
        return "https://store.example/anna.jpg?sig=1"

    def __str__(self) -> str:
        return "s3://aws_default@bucket/anna.jpg"


def refused(**changes: Any) -> UsageError:
    """Return the error of a submit with changed arguments, such as ``text=""``."""
    with pytest.raises(UsageError) as caught:
        build_submit(**{**EXAMPLE, **changes}, key="secret-key")
    assert str(caught.value).startswith(f"{caught.value.code} ")
    return caught.value


# ------------------------------------------------------------------------------------------------------ text


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
    (warning,) = warnings_of(text, EXAMPLE["pronouncer"], LIMIT_WORDS)
    assert warning.startswith("TS106 ")
    assert warnings_of("ก" * LIMIT_WORDS, EXAMPLE["pronouncer"], LIMIT_WORDS) == []
    assert len(warnings_of("ก" * (LIMIT_WORDS + 1), EXAMPLE["pronouncer"], LIMIT_WORDS)) == 1
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


# ------------------------------------------------------------------------------------------------- templates

MISSING = ["None", " None\n", "null", "undefined", "nan", "NaN"]
LEFT_OVER = [
    "{{ ti.xcom_pull('write') }}",
    "Hello {{ name }}",
    "Hello {{",
    "{% if x %}Hello{% endif %}",
    "Hello {%",
    "{# greeting #} Hello",
]
#: Each argument with a right value around the template.
WITHIN = {
    "text": "Hello {}",
    "image_url": "https://h.example/{}.jpg",
    "pronouncer": "zh-CN-{}Neural",
    "twinsync_task_id": "2023{}",
}


@pytest.mark.parametrize("argument", WITHIN)
@pytest.mark.parametrize("value", MISSING)
def test_what_an_empty_template_renders_to_is_refused(argument: str, value: str) -> None:
    """A voice would speak it, and it would be paid."""
    code = "TS113" if argument == "twinsync_task_id" else "TS103"
    with pytest.raises(UsageError, match=f"^{code} {argument} is {re.escape(repr(value))}: "):
        CHECKS[argument](value)


@pytest.mark.parametrize("argument", WITHIN)
@pytest.mark.parametrize("value", LEFT_OVER)
def test_a_template_that_was_not_rendered_is_refused(argument: str, value: str) -> None:
    """For example a template in an XCom, a parameter or a file."""
    code = "TS113" if argument == "twinsync_task_id" else "TS104"
    for given in (value, WITHIN[argument].format(value), WITHIN[argument].format(value.replace(" ", ""))):
        with pytest.raises(UsageError, match=f"^{code} {argument} is "):
            CHECKS[argument](given)


@pytest.mark.parametrize(("mark", "end"), [("{{", "}}"), ("{%", "%}"), ("{#", "#}")])
def test_the_error_about_a_template_shows_the_argument_and_its_mark(mark: str, end: str) -> None:
    """With the mark that a text may have instead; the query of an address may be a signature."""
    text = f"Why? {mark} x {end}"
    for argument, value, shown in [("text", text, text), ("image_url", f"https://h/{text}", "https://h/Why")]:
        with pytest.raises(UsageError) as caught:
            refuse_unrendered(argument, value)
        message = str(caught.value)
        assert message.startswith(f"TS104 {argument} is {shown!r}: {mark!r} ")
        assert repr(" ".join(mark)) in message


def test_an_address_that_is_no_photo_is_checked_for_templates_too() -> None:
    """For example the address of a video to download."""
    with pytest.raises(UsageError, match=r"^TS104 result_url is 'https://h\.example/\{\{x\}\}\.mp4'"):
        checked_url("result_url", "https://h.example/{{x}}.mp4", "an address")


@pytest.mark.parametrize(
    "text",
    [
        "None.",
        "None of us",
        "none",
        "Null",  # German for zero
        "NULL",
        "Undefined",
        "nannies",
        '{"a": {"b": 1}}',
        "a {placeholder} and a }}",
        "a { { b",
        "a { % b",
        "100%",
        "{#hashtag",
        "a #}",
    ],
)
def test_a_text_that_only_reminds_of_a_template_is_sent(text: str) -> None:
    """A text that may be meant is sent."""
    assert checked_text(text, LIMIT_WORDS) == text


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "None"},
        {"text": "?!"},
        {"text": ""},
        {"image_url": "photo.jpg"},
        {"image_url": "s3://bucket/a.jpg"},
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
    """It is sent unchanged, without the white space around it."""
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
    """The error names and shows the argument."""
    error = refused(image_url=url)
    shown = repr(url) if url is None or isinstance(url, (str, int)) else f"a {type(url).__name__}"
    assert str(error).startswith(f"{error.code} image_url is {shown}")
    assert error.code in (["TS103"] if url == "None" else ["TS105", "TS111"])


@pytest.mark.parametrize(
    "photo",
    [
        "/data/anna.jpg",
        "./anna.jpg",
        "~/anna.jpg",
        "anna.jpg",
        "photos/anna.PNG",
        "C:\\photos\\anna.jpg",
        "\\\\server\\anna.jpg",
        "file:///data/anna.jpg",
        "s3://bucket/anna.jpg",
        "s3://aws_default@bucket/anna.jpg",
        "gs://my.bucket/anna.jpg",
        "S3://my.bucket/anna.jpg",
        "abfs://container@account.dfs.core.windows.net/anna.jpg",
        "ftp://h.example/anna.jpg",
        Path("/data/anna.jpg"),
        Signable(),
    ],
    ids=str,
)
def test_for_a_file_or_an_object_the_message_says_how_to_make_an_address(photo: Any) -> None:
    """The service opens addresses on the internet only."""
    error = refused(image_url=photo)
    assert error.code == "TS105"
    assert "ObjectStoragePath(...).sign(...)" in str(error)
    assert "docs/howto/photos.md" in str(error)


@pytest.mark.parametrize(
    "photo", ["example.com/anna.jpg", "http:example.com", "data:image/png;base64,AA/A", "hello"]
)
def test_for_what_is_no_file_the_message_does_not_speak_of_stores(photo: str) -> None:
    """An address without its scheme is a slip, and no file."""
    assert refused(image_url=photo).code == "TS111"


# --------------------------------------------------------------------------------------------------- secrets

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h.example/a.jpg?X-Amz-Signature=s3cret", "https://h.example/a.jpg"),
        ("https://h.example/a.jpg?x=1#s3cret", "https://h.example/a.jpg"),
        ("https://user:s3cret@h.example/a.jpg?s3cret#s3cret", "https://h.example/a.jpg"),
        ("https://s3cret@h.example:444/a.jpg", "https://h.example:444/a.jpg"),
        ("https://user:s3cret@[::1]:81/a", "https://[::1]:81/a"),
        ("HTTPS://user:s3cret@H.example/a", "HTTPS://H.example/a"),
        ("//user:s3cret@h.example/a?s3cret", "//h.example/a"),
        ("https:/user:s3cret@h.example/a", "https:/h.example/a"),
        ("https://user:s3cret@h.example:port/a", "https://***"),
        ("https://user:s3cret@[::1", "https://***"),
        ("https://user:s3cret%40h.example/a", "https://***"),
        ("https://user:a/s3cret@h.example/a", "https://***"),
        ("https://user:a?s3cret@h.example/a", "https://***"),
        ("https://user:a#s3cret@h.example/a", "https://***"),
        ("https://user:1?s3cret@h.example/a", "https://***"),
        ("https://user:a@b#s3cret@h.example/a", "https://***"),
        ("https://user:s3cret\\@h.example/a", "https://***"),
        ("https:user:s3cret@h.example/a", "***"),
        ("user:s3cret@h.example/a", "***"),
        (" https://user:s3cret@h.example/a", "***"),
        ("see https://h.example/a?s3cret", "see https://h.example/a"),
        ("s3://AKIA1:s3cret@bucket/a.jpg", "s3://bucket/a.jpg"),
        ("s3://AKIA1:x/s3cret@bucket/a.jpg", "s3://***"),
        ("s3://aws_default@bucket/a.jpg?versionId=s3cret", "s3://aws_default@bucket/a.jpg"),
        ("abfs://photos@account.example/a.jpg?sig=s3cret", "abfs://photos@account.example/a.jpg"),
        ("socks5://user:s3cret@h.example", "socks5://h.example"),
        ("https://h.example:port/a.jpg?s3cret", "https://h.example:port/a.jpg"),
        ("https://h.example/anna@2x.jpg", "https://h.example/anna@2x.jpg"),
        ("https://h.example:81/anna@2x.jpg", "https://h.example:81/anna@2x.jpg"),
        ("https://例子.测试/照片.jpg", "https://例子.测试/照片.jpg"),
        ("/data/anna.jpg", "/data/anna.jpg"),
        ("anna@2x.jpg", "anna@2x.jpg"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_login_and_query(url: str, shown: str) -> None:
    """A parser need not accept it; the end of the login is not guessed."""
    assert shown_url(url) == shown
    assert shown_address(url) == repr(shown)
    assert shown_url(shown) == shown
    assert SECRET not in shown_job("Hello", url)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://user:s3cret@h.example:port/a.jpg?sig=s3cret", "TS111"),
        ("https://h.example/a b.jpg?sig=s3cret", "TS111"),
        ("https://[::1/a.jpg?sig=s3cret", "TS111"),
        ("s3://key:s3cret@bucket/a.jpg", "TS105"),
        ("https://h.example/{{ x }}?sig=s3cret", "TS104"),
        (b"https://h.example/a.jpg?sig=s3cret", "TS111"),
        ({"url": "https://h.example/a.jpg?sig=s3cret"}, "TS111"),
        (["https://user:s3cret@h.example/a.jpg"], "TS111"),
    ],
    ids=repr,
)
def test_a_message_about_an_address_shows_no_secret(url: Any, code: str) -> None:
    """A signature opens the photo to each reader of the log."""
    for check in (checked_photo, lambda value: checked_url("result_url", value, "an address")):
        with pytest.raises(UsageError) as caught:
            check(url)
        assert SECRET not in str(caught.value)
    assert refused(image_url=url).code == code


# ----------------------------------------------------------------------------------------------------- voice


VOICES = [
    line
    for line in (Path(__file__).parents[1] / "data" / "voices.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


def test_the_names_of_microsofts_voices_are_accepted_without_a_warning() -> None:
    """All names of its lists of November 2026; white space around a name is removed."""
    assert len(VOICES) == 706
    for voice in VOICES:
        assert checked_pronouncer(f" {voice}\n") == voice
        assert warnings_of("Hello", voice, LIMIT_WORDS) == []


@pytest.mark.parametrize(
    "voice",
    [
        "en-US-AvaMultilingualNeural",
        "iu-Cans-CA-SiqiniqNeural",
        "es-419-AnaNeural",
        "en-US-MultiTalker-Ava-Andrew:DragonHDLatestNeural",
        "en-us-ava:DragonHDOmniLatestNeural",
        "hu-HU-Réka:MAI-Voice-2-Flash",
        "en-US-Ava:DragonHDv1.1Neural",
        f"en-US-{'A' * 188}Neural",  # of the greatest length that is sent
    ],
)
def test_each_family_of_voices_has_a_known_shape(voice: str) -> None:
    """Multi-talkers, a lower-case locale, letters outside ASCII, and a dot in a version."""
    assert checked_pronouncer(voice) == voice
    assert warnings_of("Hello", voice, LIMIT_WORDS) == []


@pytest.mark.parametrize(
    "voice",
    [
        "en-US-Jenny",
        "en-US-Jenny-Neural",
        "en-US-JessaRUS",
        "en-US-jennyNeural",
        "zh-cn-xiaohanneural",
        "ZH-CN-XiaohanNeural",
        "zh-CN",
        "zh-CN-",
        "zh-CN-晓涵",
        "en-US-Ava:",
        "xxxx-US-JennyNeural",
        "en-US-New(2)Neural",
    ],
)
def test_a_voice_of_an_unknown_shape_is_sent_with_a_warning(voice: str) -> None:
    """It may be newer than this package; the warning shows it and a right name."""
    assert checked_pronouncer(voice) == voice
    (warning,) = warnings_of("Hello", voice, LIMIT_WORDS)
    assert warning.startswith(f"TS107 The voice {voice!r} ")
    assert "'zh-CN-XiaohanNeural'" in warning


@pytest.mark.parametrize(
    "voice",
    [
        None,
        "",
        " \t",
        5,
        b"zh-CN-XiaohanNeural",
        "Xiaohan",
        "XiaohanNeural",
        "zh_CN_XiaohanNeural",
        "zh-CN-Xiaohan Neural",
        "zh-CN-Xiaohan\u3000Neural",
        "zh-CN-XiaohanNeural\nen-US-JennyNeural",
        "zh-CN-Xiaohan\x00Neural",
        "zh-CN-Xiaohan\x85Neural",
        "zh-CN-Xiaohan\u200bNeural",
        "zh-CN-Xiaohan\u202eNeural",
        "zh-CN-Xiaohan\ud800Neural",
        "{voice}-CN-Neural",
        "zh-CN-{name}Neural",
        "<voice-name>",
        f"en-US-{'A' * 189}Neural",
        "Microsoft Server Speech Text to Speech Voice (zh-CN, XiaohanNeural)",
    ],
)
def test_what_certainly_is_no_voice_is_refused(voice: Any) -> None:
    """The error names and shows the argument, with an example that is accepted."""
    message = str(refused(pronouncer=voice))
    assert message.startswith(f"TS112 pronouncer is {repr(voice)[:80]}")
    assert "'zh-CN-XiaohanNeural'" in message


# -------------------------------------------------------------------------------------------------------- id


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


# -------------------------------------------------------------------------------------------------- messages

CHECKS: dict[str, Callable[[Any], object]] = {
    "text": lambda value: checked_text(value, LIMIT_WORDS),
    "image_url": checked_photo,
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


@pytest.mark.parametrize("text", ["x" * 500, "it's " * 100, '"' * 500, "\\" * 500], ids=lambda text: text[:3])
def test_a_shortened_text_keeps_its_closing_quote(text):
    """A reader sees the end of the text; a megabyte is not read."""
    shown = shown_text(text)
    assert shown[0] in "'\""
    assert shown[-2:] == f"…{shown[0]}"
    assert len(shown) <= 83  # 80 characters, two quotes and the ellipsis
    assert shown_text("short") == "'short'"


def test_the_name_of_a_file_is_not_spoken() -> None:
    """It came from a template or an XCom, where Airflow reads no file."""
    with pytest.raises(UsageError, match=r"^TS110 text is 'news\.txt'"):
        checked_text("news.txt", 150)
    assert checked_text("Read news.txt now.", 150)
    assert checked_text("news.txt.", 150)
