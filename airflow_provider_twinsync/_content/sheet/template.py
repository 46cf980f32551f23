"""Render templates over a row of a sheet, such as ``Good morning {{ row.name }}``, in Jinja's sandbox."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from airflow_provider_twinsync._api.shown import one_line
from airflow_provider_twinsync._content.sheet.cell import MAX_CELL_CHARACTERS
from airflow_provider_twinsync._content.sheet.reader import column_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template

#: The template of a cell, a text of strangers, has no loop, no call and no arithmetic: its time is bounded.
_CELL_NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem),
    *(nodes.Const, nodes.Filter, nodes.Or),
)
#: Jinja takes a time in the square of the depth, and 10,000 rows may have a template each.
_MOST_NODES, _MOST_DEPTH = 200, 12
_CELL_FILTERS = ("capitalize", "d", "default", "lower", "title", "trim", "upper")


class _Empty(StrictUndefined):
    """An empty cell: an error in a text, and false in ``row.title or "Ms"``."""

    __slots__ = ()
    __bool__ = Undefined.__bool__  # type: ignore[assignment]


class _Row:
    """The cells of a row; a template reads them as attributes or by the names of their columns."""

    __slots__ = ("_cells",)

    def __init__(self, cells: Mapping[str, str]) -> None:
        self._cells = cells

    def __getitem__(self, name: Any) -> str:
        return self._cells[column_key(str(name))]


class TemplateError(Exception):
    """A template cannot be rendered; the message is the reason, as a part of a sentence."""


class RowTemplate:
    """A template over a row.

    >>> template = row_template("Good morning {{ row['First name'] }}", ())
    >>> sorted(template.columns), template.render({"first_name": "Anna"}, {})
    (['first_name'], 'Good morning Anna')

    :ivar columns: the keys of the columns that the template names.
    """

    def __init__(self, template: Template, columns: frozenset[str]) -> None:
        self._template = template
        self.columns = columns

    def render(self, cells: Mapping[str, str], run: Mapping[str, Any]) -> str:
        """Return the text of a row.

        :param cells: the cells that are not empty, by the keys of their columns.
        :param run: the values of the run.
        :raises TemplateError: a cell is empty, or the template fails.
        """
        text: list[str] = []
        left = MAX_CELL_CHARACTERS
        try:
            for piece in self._template.generate({**run, "row": _Row(cells)}):
                text.append(piece)
                left -= len(piece)
                if left < 0:
                    raise TemplateError(f"it has more than {MAX_CELL_CHARACTERS:,} characters")
        except TemplateError:
            raise
        except Exception as error:  # of any expression of a DAG's author
            empty = sorted(self.columns - cells.keys())
            if empty and "undefined" in type(error).__name__.lower():
                raise TemplateError(
                    f"row.{empty[0]} is empty in this row: fill the cell, or write "
                    f"{{{{ row.{empty[0]} | default('...') }}}}"
                ) from None
            raise TemplateError(one_line(str(error))) from None
        return "".join(text)


@lru_cache(maxsize=1_024)
def row_template(source: str, names: frozenset[str] | tuple[()]) -> RowTemplate:
    """Return a template.

    :param source: the text of the template.
    :param names: the names that the template of a DAG's author may use besides ``row``; empty for a cell,
        which may also use nothing but columns, constants, ``or`` and a few filters.
    :raises TemplateError: it is no template, or uses an unknown name.
    """
    environment = SandboxedEnvironment(undefined=_Empty)
    environment.globals.clear()  # range, lipsum and others
    try:
        tree = environment.parse(source)
        if not names:
            _refuse_large(tree)
            _refuse_more(tree)  # first: the next line computes constants, such as `9 ** 9 ** 9`
        if unknown := sorted(meta.find_undeclared_variables(tree) - {"row", *names}):
            known = ", ".join(["row", *sorted(names)])
            raise TemplateError(f"it uses {one_line(unknown[0], 80)!r}, and may use {known}")
        columns = {_column(node) for node in tree.find_all((nodes.Getattr, nodes.Getitem))}
        return RowTemplate(environment.from_string(source), frozenset(columns - {""}))
    except TemplateError:
        raise
    except TemplateSyntaxError as error:
        raise TemplateError(f"the template is wrong ({one_line(str(error.message))})") from None
    except Exception as error:  # a deep nesting has several of Python's
        raise TemplateError(f"the template is wrong ({type(error).__name__})") from None


def _column(node: nodes.Expr) -> str:
    """Return the key of the column that an expression names, or an empty text."""
    if (
        not isinstance(node, (nodes.Getattr, nodes.Getitem))
        or not isinstance(node.node, nodes.Name)
        or node.node.name != "row"
    ):
        return ""
    if isinstance(node, nodes.Getattr):
        return column_key(node.attr)
    return column_key(str(node.arg.value)) if isinstance(node.arg, nodes.Const) else ""


def _refuse_large(tree: nodes.Template) -> None:
    """Refuse the template of a cell that takes long to compile."""
    level: list[nodes.Node] = [tree]
    count = depth = 0
    while level:
        count, depth = count + len(level), depth + 1
        if count > _MOST_NODES or depth > _MOST_DEPTH:
            raise TemplateError("it is too long: use fewer columns and filters in {{ ... }}")
        level = [child for node in level for child in node.iter_child_nodes()]


def _refuse_more(tree: nodes.Template) -> None:
    """Refuse the template of a cell that has more than columns, constants, ``or`` and some filters."""
    in_columns = {
        id(getattr(node, "node", None))
        for node in tree.find_all((nodes.Getattr, nodes.Getitem))
        if _column(node)
    }
    for node in tree.find_all(nodes.Node):
        is_known = isinstance(node, _CELL_NODES)
        if isinstance(node, nodes.Filter):
            is_known = node.name in _CELL_FILTERS
        elif isinstance(node, nodes.Name):
            is_known = id(node) in in_columns
        elif isinstance(node, (nodes.Getattr, nodes.Getitem)):
            is_known = bool(_column(node))
        if not is_known:
            raise TemplateError(
                "a cell may use {{ row.column }} with 'or' and the filters " + ", ".join(_CELL_FILTERS)
            )
