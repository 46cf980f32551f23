"""Templates that were not rendered, or rendered to nothing."""

from __future__ import annotations

import re

import pytest
from support.arguments import CHECKS, LIMIT_WORDS

from airflow_provider_twinsync._api.unrendered import refuse_unrendered
from airflow_provider_twinsync._api.validation import checked_text, checked_url
from airflow_provider_twinsync.exceptions import UsageError

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
