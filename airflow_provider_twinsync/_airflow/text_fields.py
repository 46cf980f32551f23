"""Render and check the template fields of the operators and the sensor: they are texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._api.shown import shown_text
from airflow_provider_twinsync.exceptions import UsageError, airflow_errors

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.providers.common.compat.sdk import Context
    from jinja2 import Environment, Template


class TextFields:
    """Template fields that render to texts, also in a DAG with ``render_template_as_native_obj=True``.

    In such a DAG Airflow itself would make the integer 2023042311230510279 of the id
    ``20230423_11_23_05_10279`` and a number of the text ``2024``, and would remove the quotation marks of a
    text. The output of a task (an ``XComArg``) is unchanged.

    This is a base class before Airflow's own, as in ``class MyOperator(TextFields, BaseOperator)``. Airflow
    renders a mapped task by the same method.
    """

    template_fields: Collection[str]
    template_ext: Sequence[str]
    #: The only template field that may be the name of a file, with an ending of ``template_ext``. Airflow
    #: itself would read a file for every field, such as the address of a photo that ends in ``.txt``.
    file_field = ""
    #: The template fields that are no texts, such as the arguments of a function that Airflow calls.
    call_fields: Collection[str] = ()
    #: The template fields that may be a list. Airflow does not render the texts in it.
    list_fields: Collection[str] = ()
    _is_call = False

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Return the value of a template field for this run."""
        if self._is_call or any(content is getattr(self, name) for name in self.call_fields):
            return self._rendered_call(content, context, jinja_env, seen_oids)
        is_list = isinstance(content, (list, tuple, dict))
        if is_list and any(content is getattr(self, name) for name in self.list_fields):
            return self._resolved(content, context, jinja_env, seen_oids)
        if isinstance(content, PurePath) and not isinstance(content, ObjectStoragePath):
            return content  # Airflow 3.1 calls its resolve(), which fails for a file that is not there yet
        if not isinstance(content, str) or id(content) in (seen_oids or ()):
            return super().render_template(content, context, jinja_env, seen_oids)  # type: ignore[misc]
        dag = self.get_dag()  # type: ignore[attr-defined]
        if dag is not None and (jinja_env is None or dag.render_template_as_native_obj):
            jinja_env = dag.get_template_env(force_sandboxed=True)
        env: Environment = jinja_env or self.get_template_env()  # type: ignore[attr-defined]
        if content.endswith(tuple(self.template_ext)) and content == getattr(self, self.file_field, None):
            return internals.render(_read(self.file_field, content, env), context)
        return internals.render(env.from_string(content), context)

    def _rendered_call(self, content: Any, *arguments: Any) -> Any:
        """Return an argument of a function, or a part of one, as Airflow renders it."""
        before, self._is_call = self._is_call, True
        try:
            return super().render_template(content, *arguments)  # type: ignore[misc]
        finally:
            self._is_call = before

    def _resolved(self, content: Any, *arguments: Any) -> Any:
        """Return a list with the values of the tasks in it, and all texts as they are."""
        if isinstance(content, (list, tuple)):
            return [self._resolved(one, *arguments) for one in content]
        if isinstance(content, dict):
            return {name: self._resolved(one, *arguments) for name, one in content.items()}
        if isinstance(content, (str, PurePath)):
            return content
        return super().render_template(content, *arguments)  # type: ignore[misc]

    def resolve_template_files(self) -> None:
        """Read no file while the DAG is parsed, but when the task runs.

        Airflow's own method reads the files of all fields here, and only logs a file that it cannot read.
        """
        self.prepare_template()  # type: ignore[attr-defined]

    def check_given(self) -> None:
        """Check while the DAG is parsed that each template field is a value, and not a task.

        :raises UsageError: a field is a task, or the output of all instances of a mapped task.
        """
        for name in self._texts:
            value = getattr(self, name)
            if hasattr(value, "task_id") and hasattr(value, "output"):
                raise UsageError(
                    f"TS117 {name} is the task {value.task_id!r} itself: it should be the value that the "
                    "task returns. Put .output behind the task."
                )
            if callable(value) and hasattr(value, "operator_class"):
                raise UsageError(f"TS118 {name} is the function of a task: call it, and give the result.")
            # The output of one task has an operator; the result of its .map() or .zip() has none.
            task = getattr(value, "operator", None)
            if task is None:
                continue
            group = internals.mapped_group_of(task)
            is_other = group is not None and group is not internals.mapped_group_of(self)
            if name not in self.list_fields and (internals.is_mapped(task) or is_other):
                raise UsageError(
                    f"TS119 {name} is the list of all values that the mapped task {task.task_id!r} returns. "
                    f"{self._how_to_map(name)}"
                )

    def check_rendered(self) -> None:
        """Check before anything is sent that no template field is a list.

        :raises UsageError: a field is a list.
        """
        for name in self._texts:
            value = getattr(self, name)
            if name in self.list_fields:
                continue
            if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
                raise UsageError(f"TS120 {name} is a list, {shown_text(value)}. {self._how_to_map(name)}")

    @property
    def _texts(self) -> list[str]:
        return [name for name in self.template_fields if name not in self.call_fields]

    def _how_to_map(self, name: str) -> str:
        return (
            f"Map this task over the list, {type(self).__name__}.partial(...).expand({name}=...), or give "
            "one element of it."
        )


def _read(name: str, file: str, env: Environment) -> Template:
    from jinja2 import TemplateNotFound

    try:
        if env.loader is None:
            raise TemplateNotFound(file)
        return env.get_template(file)
    except TemplateNotFound:
        problem = "there is no such file"
    except (OSError, UnicodeDecodeError) as error:
        problem = f"it cannot be read ({type(error).__name__})"
    folders = ", ".join(str(folder) for folder in getattr(env.loader, "searchpath", ())) or "any folder"
    with airflow_errors():
        raise UsageError(
            f"TS122 {name} is {shown_text(file)}, the name of a file, as it ends in .txt, and {problem} in "
            f"{folders}. Put the file into the folder of the DAG file, or add its folder to the DAG's "
            "template_searchpath. To have the name itself spoken, add a full stop."
        )
    raise AssertionError("airflow_errors() always raises here")
