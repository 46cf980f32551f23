"""Templates over a row: those of the DAG's author, and those of strangers in cells."""

from __future__ import annotations

import pytest

from airflow_provider_twinsync._content.sheet.template import TemplateError, row_template

CELLS = {"name": "Anna", "first_name": "Anna B", "items": "three", "self": "x"}
RUN = {"ds": "2026-11-28", "params": {"greeting": "Hello"}}


def of_cell(source: str) -> str:
    return row_template(source, ()).render(CELLS, {})


def of_author(source: str) -> str:
    return row_template(source, frozenset(RUN)).render(CELLS, RUN)


@pytest.mark.parametrize("render", [of_cell, of_author])
@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Good morning {{ row.name }}!", "Good morning Anna!"),
        ("{{row['First name']}} {{ row.items }}", "Anna B three"),
        ("{{ row.name | upper }}{{ row.title or 'Ms' }}", "ANNAMs"),
        ("{{ row.title | default('Ms') }} {{ 'a' }}", "Ms a"),
        ('{{ row.self }} <b> & "', 'x <b> & "'),
    ],
)
def test_a_template_has_the_cells_of_its_row(render, source, text):
    assert render(source) == text


@pytest.mark.parametrize("render", [of_cell, of_author])
@pytest.mark.parametrize(
    "source",
    [
        "{{ row.title }}",
        "{{ row.name",
        "{% if %}",
        "{{ row.__class__ }}",
        "{{ row['_cells'] }}",
        "{{ row._cells }}",
        "{{ conn.aws_default.password }}",
        "{{ var.value.secret }}",
        "{{ ti.xcom_pull() }}",
        "{{ lipsum() }}",
        "{{ cycler }}",
        "{{ ''.__class__.__mro__ }}",
        "{% include 'dag.py' %}",
        "{{ " + "(" * 3_000 + " }}",
        "{{ " + " or ".join(["row.a"] * 5_000) + " }}",
    ],
    ids=range(15),
)
def test_a_template_reaches_nothing_else(render, source):
    """No connection, no variable, no attribute of Python."""
    with pytest.raises(TemplateError):
        render(source)


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in 'aaa' %}{{ row.name }}{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ row.name.format() }}",
        "{{ row.name ~ row.name }}",
        "{{ row.name | center(1000000000) }}",
        "{{ row.name | replace('a', row.name) }}",
        "{{ row }}",
        "{{ row[row.name] }}",
        "{{ self }}",
        "{{ ds }}",
        "{{ params.greeting }}",
        "{% set x = 1 %}",
        "{% macro x() %}{% endmacro %}",
        "{{ " + " or ".join(["row.name"] * 50) + " }}",
        "{{ row.name" + " | upper" * 50 + " }}",
        "{{ row.name }}" * 200,
    ],
)
def test_the_template_of_a_cell_is_bounded(source):
    """Its time and its memory: no loop, no call, no arithmetic."""
    with pytest.raises(TemplateError):
        of_cell(source)


def test_the_template_of_an_author_may_do_more():
    """It has the values of the run."""
    assert of_author("{{ ds }}/{{ params.greeting }}") == "2026-11-28/Hello"
    assert of_author("{% if row.title %}x{% else %}{{ row.name }}{% endif %}") == "Anna"
    with pytest.raises(TemplateError, match="division"):
        of_author("{{ 1 / 0 }}")


def test_a_long_result_is_no_text():
    with pytest.raises(TemplateError):
        row_template("{{ row.a }}" * 20, ()).render({"a": "x" * 100_000}, {})


def test_a_template_names_its_columns():
    assert row_template("{{ row.A }} {{ row['b c'] or row.d }}", ()).columns == {"a", "b_c", "d"}
