"""What of a sensor's arguments the triggerer can render without a worker (Airflow 3.3 and later)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import nodes

#: What the triggerer knows of the context. What else a template may name can ask Airflow something that it
#: does not tell a trigger, which then waits for the answer for ever (3.3.2).
_KNOWN = {"params", "var", "conn", "macros", "dag_run", "run_id", "ds", "ds_nodash", "ts", "ts_nodash"}
_KNOWN |= {"ts_nodash_with_tz", "logical_date", "data_interval_start", "data_interval_end"}
_TI = {"ti", "task_instance"}
_KNOWN_OF_TI = {"dag_id", "task_id", "run_id", "map_index", "try_number"}


class NeedsWorkerError(Exception):
    """A sensor cannot start in the triggerer; the message is the reason, as part of a sentence."""


def as_template(name: str, value: Any, sensor: Any) -> str:
    """Give an argument as a text that the triggerer renders to what a worker would make of the argument.

    :param name: the argument.
    :param sensor: the operator that it belongs to.
    :raises NeedsWorkerError: there is no such text.
    """
    from airflow.sdk.definitions.xcom_arg import PlainXComArg

    if isinstance(value, PlainXComArg):
        return _pull(value)
    if not isinstance(value, str):
        raise NeedsWorkerError(f"{name} is neither a text nor the output of a task ({type(value).__name__})")
    if any(mark in value for mark in ("{{", "{%", "{#")):
        dag = sensor.get_dag()
        if dag and (dag.user_defined_macros or dag.user_defined_filters or dag.jinja_environment_kwargs):
            raise NeedsWorkerError(f"{name} is a template, and the DAG adds to what templates can do")
    check_template(name, value)
    return value


def check_template(name: str, template: str) -> None:
    """See that the triggerer can render a template.

    :raises NeedsWorkerError: it cannot, or that is not certain.
    """
    for unknown in _unknown(template):
        raise NeedsWorkerError(f"the template of {name} has {unknown}, which needs a worker")


def _pull(arg: Any) -> str:
    task = arg.operator  # not a mapped one, nor of another mapped group: TextFields.check_given
    index = "-1" if task.get_closest_mapped_task_group() is None else "ti.map_index"
    pull = f"ti.xcom_pull(task_ids={task.task_id!r}, key={arg.key!r}, map_indexes={index})"
    # A list would become a text that looks like an id.
    return f"{{% set value = {pull} %}}{{{{ value if value is string else none }}}}"


def _unknown(template: str) -> Iterator[str]:
    """Give what of a template the triggerer may not know."""
    from jinja2 import Environment, TemplateSyntaxError, nodes

    environment = Environment(autoescape=True)  # it renders nothing
    try:
        tree = environment.parse(template)
    except TemplateSyntaxError:
        yield "a mistake"
        return
    known_tis = {
        found.node
        for found in tree.find_all(nodes.Getattr)
        if _is_ti(found.node) and found.attr in _KNOWN_OF_TI
    }
    for call in tree.find_all(nodes.Call):
        pull = call.node
        # Without map_indexes it asks for all that a task gives: see _KNOWN.
        if isinstance(pull, nodes.Getattr) and pull.attr == "xcom_pull" and _is_ti(pull.node):
            given = {keyword.key: keyword.value for keyword in call.kwargs}
            if "map_indexes" in given and given["map_indexes"] != nodes.Const(None):
                known_tis.add(pull.node)
    own = {found.name for found in tree.find_all(nodes.Name) if found.ctx == "store"}
    for found in tree.find_all(nodes.Name):
        if found.name not in _KNOWN | own and found not in known_tis:
            but = " other than in an xcom_pull with map_indexes" if found.name in _TI else ""
            yield f"{found.name!r}{but}"
    for used in tree.find_all((nodes.Filter, nodes.Test)):
        if used.name not in (environment.filters if isinstance(used, nodes.Filter) else environment.tests):
            yield f"the filter or test {used.name!r}"
    for _ in tree.find_all((nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)):
        yield "another template"


def _is_ti(node: nodes.Node) -> bool:
    from jinja2 import nodes

    return isinstance(node, nodes.Name) and node.name in _TI
