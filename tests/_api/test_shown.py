"""Arguments, addresses, durations and foreign text in a message."""

from __future__ import annotations

import pytest

from airflow_provider_twinsync._api.shown import (
    one_line,
    sentence,
    shown_destination,
    shown_duration,
    shown_text,
    shown_url,
)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (0.05, "0.1 s"),
        (0.25, "0.2 s"),
        (1, "1 s"),
        (1.5, "2 s"),
        (119.4, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2.0 h"),
        (86_581, "24.1 h"),
        (172_799, "48.0 h"),
        (172_800, "2.0 days"),
        (609_121, "7.1 days"),
    ],
)
def test_a_duration_is_shown_in_the_unit_of_a_person(seconds: float, shown: str) -> None:
    """Seconds, minutes, hours or days."""
    assert shown_duration(seconds) == shown


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("HTTP 500", "HTTP 500."),
        ("No.", "No."),
        ("No!", "No!"),
        ("Why? ", "Why?"),
        ("完成。", "完成。"),
        ("a long answer…", "a long answer…"),
        ("{}", "{}."),
    ],
)
def test_another_sentence_can_follow(text: str, wanted: str) -> None:
    """Two sentences do not become one in a log."""
    assert sentence(text) == wanted


@pytest.mark.parametrize(
    ("destination", "shown"),
    [
        ("/data/a?b#c.mp4", "'/data/a?b#c.mp4'"),
        ("a@b:c.mp4", "'a@b:c.mp4'"),
        ("s3://key:s3cret@bucket/a.mp4?sig=s3cret", "'s3://bucket/a.mp4'"),
    ],
)
def test_only_the_address_of_a_destination_has_secrets(destination: str, shown: str) -> None:
    """The path of a file is shown unchanged."""
    assert shown_destination(destination) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://s3cret@h.example/a", "http://h.example/a"),
        ("HTTP://s3cret@h.example/a", "HTTP://h.example/a"),
        ("//s3cret@h.example/a", "//h.example/a"),
        ("https://user:a@b/s3cret@h.example/a", "https://***"),
        ("user:\ns3cret@h.example/a", "***"),
        ("a.jpg#s3cret", "a.jpg"),
    ],
)
def test_no_part_of_a_login_is_shown(url: str, shown: str) -> None:
    """Without a password, with a slash or a line break in it, and without a scheme."""
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", "a\N{REPLACEMENT CHARACTER}b"),
        ("\u0301" * 5, "\u0301" * 4),
        # Only its start is read.
        (" " * 6_000 + "a", ""),
        (" " * 5_999 + "a", "a"),
    ],
)
def test_a_text_is_made_printable_character_by_character(text: str, shown: str) -> None:
    """The printable characters around a control character stay."""
    assert one_line(text) == shown


def test_a_text_of_marks_is_shown_with_four() -> None:
    """Marks without a letter cover other lines too."""
    assert shown_text("\u0301" * 5) == "'" + "\u0301" * 4 + "'"
