"""The table of voices, as a list and as a command."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from support.arguments import EXAMPLE

from airflow_provider_twinsync.__main__ import main
from airflow_provider_twinsync._airflow.submitting import prepare_submit
from airflow_provider_twinsync._api.settings import parse_connection
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.operators import TwinSyncSubmitOperator
from airflow_provider_twinsync.voices import Voice, all_voices, voices


def test_a_voice_has_all_that_the_table_has() -> None:
    """A row with styles, and one without."""
    found = {voice.name: voice for voice in voices()}
    assert found["de-DE-ConradNeural"] == Voice(
        "de-DE-ConradNeural", "de-DE", "German (Germany)", "male", "neural", ("cheerful", "sad")
    )
    assert found["af-ZA-AdriNeural"].styles == ()


@pytest.mark.parametrize(
    ("filters", "locales"),
    [
        ({"language": "de"}, {"de-AT", "de-CH", "de-DE"}),
        ({"language": "DE"}, {"de-AT", "de-CH", "de-DE"}),
        ({"language": "german"}, {"de-AT", "de-CH", "de-DE"}),
        ({"language": "German (Austria)"}, {"de-AT"}),
        ({"language": "de-at"}, {"de-AT"}),
        ({"language": "de_AT"}, {"de-AT"}),
        ({"language": "zh-CN-sichuan"}, {"zh-CN-sichuan"}),
        ({"language": "en", "style": "Newscast-Formal"}, {"en-US"}),
        ({"language": "d"}, set()),
        ({"language": ""}, set()),
        ({"language": "Klingon"}, set()),
        ({"style": "unknown"}, set()),
    ],
)
def test_voices_are_found_by_language_and_style(filters: dict[str, Any], locales: set[str]) -> None:
    """An unknown value has no voices; upper and lower case are the same."""
    assert {voice.locale for voice in voices(**filters)} == locales


@pytest.mark.parametrize("gender", ["female", "male", "neutral", "Female"])
def test_voices_are_found_by_gender(gender: str) -> None:
    """All three are there."""
    assert {voice.gender for voice in voices(gender=gender)} == {gender.lower()}


def test_an_unknown_gender_is_an_error() -> None:
    """It would be an empty list for ever."""
    with pytest.raises(UsageError) as caught:
        voices(gender="f")
    assert caught.value.code == "TS146"


def test_a_dag_file_does_not_read_the_table() -> None:
    """The connection decides, when the task runs."""
    all_voices.cache_clear()
    TwinSyncSubmitOperator(task_id="submit", **{**EXAMPLE, "pronouncer": "en-US-JenyNeural"})
    assert all_voices.cache_info().currsize == 0


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        (None, "TS141"),
        ('{"voices": ""}', "TS141"),
        ('{"voices": "any"}', None),
        ('{"voices": "all"}', "TS206"),
    ],
)
def test_the_connection_decides_about_a_likely_misspelling(extra: str | None, code: str | None) -> None:
    """In the extra, only "any" allows it, and every other text is an error."""
    fields: dict[str, Any] = {"host": None, "port": None, "schema": None, "password": "k"}
    found = None
    try:
        settings = parse_connection("c", **fields, extra=extra)
        prepare_submit(settings, **{**EXAMPLE, "pronouncer": "en-US-JenyNeural"})
    except UsageError as error:
        found = error.code
    assert found == code


def test_the_command_lists_voices(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each, with all styles; the count is no part of the table."""
    assert main(["voices", "de-DE", "--gender", "male", "--style", "cheerful"]) == 0
    out, err = capsys.readouterr()
    heading, *rows = out.splitlines()
    assert heading.split() == ["NAME", "GENDER", "LANGUAGE", "STYLES"]
    assert [row.split()[0] for row in rows] == ["de-DE-ConradNeural"]
    assert "cheerful, sad" in rows[0]
    assert err == "1 voice\n"


def test_the_command_fails_without_a_voice(capsys: pytest.CaptureFixture[str]) -> None:
    """As grep does; and a wrong gender is a wrong use."""
    assert main(["voices", "Klingon"]) == 1
    assert capsys.readouterr() == ("", "0 voices\n")
    assert main(["voices", "--gender", "f"]) == 2
    assert capsys.readouterr().err.startswith("TS146 ")


def test_a_line_fits_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Of 80 columns."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["voices"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_the_command_ends_quietly_with_its_pipe() -> None:
    """As of `| head`."""
    command = [sys.executable, "-m", "airflow_provider_twinsync", "voices"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
