"""The fingerprint of a submit's inputs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.answers import PHOTO, TEXT, VOICE

from airflow_provider_twinsync._api.submit import fingerprint

URL = "http://api2.sam-sara.cn:17374/phototalking"


def test_the_same_inputs_have_the_same_fingerprint_in_every_release() -> None:
    """It is stored across tries, and a changed one would pay again, so this golden value must not change."""
    assert fingerprint(URL, TEXT, PHOTO, VOICE) == "9a70abe120962adde481c3154f99fe7c"


@pytest.mark.parametrize(
    "inputs",
    [
        (URL, TEXT + " ", PHOTO, VOICE),
        (URL, TEXT.upper(), PHOTO, VOICE),
        (URL, TEXT, PHOTO + "?", VOICE),
        (URL, TEXT, PHOTO, "en-US-JennyNeural"),
        (URL, PHOTO, TEXT, VOICE),
        (URL, TEXT + PHOTO, "", VOICE),
        (URL, f'{TEXT}", "{PHOTO}', "", VOICE),
        (URL, "", "", ""),
        ("http://127.0.0.1:17374/phototalking", TEXT, PHOTO, VOICE),
    ],
)
def test_other_inputs_have_another_fingerprint(inputs: tuple[str, str, str, str]) -> None:
    """Also where the inputs run together to the same text."""
    assert fingerprint(*inputs) != fingerprint(URL, TEXT, PHOTO, VOICE)


@hypothesis_settings(deadline=None)
@given(*[st.tuples(st.text(), st.text(), st.text(), st.text())] * 2)
def test_a_fingerprint_is_short_and_tells_apart(one: tuple[str, ...], two: tuple[str, ...]) -> None:
    """32 hexadecimal digits for any texts."""
    assert re.fullmatch("[0-9a-f]{32}", fingerprint(*one))
    assert (fingerprint(*one) == fingerprint(*two)) is (one == two)
