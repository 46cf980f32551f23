"""Render and check the template fields of the operators and the sensor: they are texts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_twinsync._api.shown import shown_text
from airflow_provider_twinsync.exceptions import UsageError, airflow_errors
from airflow_provider_twinsync.links import is_mapped

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.providers.common.compat.sdk import Context
    from jinja2 import Environment, Template


class TextFields:
    """Template fields that render to texts, also in a DAG with ``render_template_as_native_obj=True``.

    Natively the id ``20230423_11_23_05_10279`` becomes the integer 2023042311230510279, the text ``2024`` a
    number, and a text in quotation marks loses them. The output of a task (an ``XComArg``) stays as it is.

    A base class of the operators, before Airflow's own. Airflow renders a mapped task by the same method.
    """

    template_fields: Collection[str]
    template_ext: Sequence[str]
    #: The only template field that may be the name of a file, with an ending of ``template_ext``. Airflow
    #: itself would read a file for every field, also for the address of a photo that ends in ``.txt``.
    file_field = ""

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Return a template field as it is when the task runs."""
        if isinstance(content, PurePath) and not isinstance(content, ObjectStoragePath):
            return content  # Airflow 3.1 calls its resolve(), which fails for a file that is not there yet
        if not isinstance(content, str) or id(content) in (seen_oids or ()):
            return super().render_template(content, context, jinja_env, seen_oids)  # type: ignore[misc]
        dag = self.get_dag()  # type: ignore[attr-defined]
        if dag is not None and (jinja_env is None or dag.render_template_as_native_obj):
            jinja_env = dag.get_template_env(force_sandboxed=True)
        env: Environment = jinja_env or self.get_template_env()  # type: ignore[attr-defined]
        if content.endswith(tuple(self.template_ext)) and content == getattr(self, self.file_field, None):
            return _render(_read(self.file_field, content, env), context)
        return _render(env.from_string(content), context)

    def resolve_template_files(self) -> None:
        """Read no file while the DAG is parsed: that is done when the task runs.

        Airflow's own method reads the files of all fields here, and only logs what it cannot read.
        """
        self.prepare_template()  # type: ignore[attr-defined]

    @property
    def is_unmapped(self) -> bool:
        """Return whether Airflow made this task of the values of a mapped one, which it does when it runs.

        There ``execute()`` checks the values, and skips the retries. Without Airflow's private name
        ``__init__`` checks them too, and a retry fails in the same way.
        """
        return bool(getattr(self, "_BaseOperator__from_mapped", False))

    def check_given(self) -> None:
        """Check while the DAG is parsed that each template field is a value, and not the task that gives it.

        :raises UsageError: it is a task, or the output of all of a mapped task's instances.
        """
        for name in self.template_fields:
            value = getattr(self, name)
            if hasattr(value, "task_id") and hasattr(value, "output"):
                raise UsageError(
                    f"{name} is the task {value.task_id!r} itself: it should be what that task returns. Put "
                    ".output behind the task."
                )
            if callable(value) and hasattr(value, "operator_class"):
                raise UsageError(f"{name} is the function of a task: call it, and give what that returns.")
            # The output of one task has an operator; what .map() or .zip() made of it has not.
            task = getattr(value, "operator", None)
            if task is None or not hasattr(task, "get_closest_mapped_task_group"):
                continue
            group = task.get_closest_mapped_task_group()
            own_group = self.get_closest_mapped_task_group()  # type: ignore[attr-defined]
            if is_mapped(task) or (group is not None and group is not own_group):
                raise UsageError(
                    f"{name} is all that the mapped task {task.task_id!r} returns, a list. "
                    f"{self._how_to_map(name)}"
                )

    def check_rendered(self) -> None:
        """Check before anything is sent that no template field is a list.

        :raises UsageError: one is.
        """
        for name in self.template_fields:
            value = getattr(self, name)
            if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
                raise UsageError(f"{name} is a list, {shown_text(value)}. {self._how_to_map(name)}")

    def _how_to_map(self, name: str) -> str:
        return (
            f"Map this task over it, {type(self).__name__}.partial(...).expand({name}=...), or give one "
            "element of it."
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
            f"{name} is {shown_text(file)}, the name of a file, as it ends in .txt, and {problem} in "
            f"{folders}. Put it into the folder of the DAG file, or its folder into the DAG's "
            "template_searchpath. To have these words spoken, put a full stop behind them."
        )
    raise AssertionError("airflow_errors() always raises here")


def _render(template: Template, context: Any) -> str:
    # jinja2's own Template.render() looks up everything in Airflow's context, also what is deprecated.
    # Neither module is public; without both, Template.render() is used.
    for module in ("airflow.sdk.definitions.context", "airflow.utils.helpers"):  # Airflow 3; Airflow 2
        with suppress(ImportError):
            if render := getattr(import_module(module), "render_template_to_string", None):
                break
    else:
        return template.render(context)
    return str(render(template, context))
