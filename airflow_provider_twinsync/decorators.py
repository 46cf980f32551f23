"""``@task.twinsync``: a function returns the text, and the task makes the video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    DecoratedOperator,
    context_merge,
    task_decorator_factory,
)

from airflow_provider_twinsync._airflow import internals
from airflow_provider_twinsync._api.shown import shown_text
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.operators.video import TwinSyncVideoOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.providers.common.compat.sdk import Context, TaskDecorator

    from airflow_provider_twinsync.operators.videos import Video

#: The arguments that a function may return.
_RETURNABLE = tuple(TwinSyncVideoOperator.template_fields)


class _TwinSyncDecoratedOperator(DecoratedOperator, TwinSyncVideoOperator):
    """Call the function, and make the video of its text."""

    custom_operator_name = "@task.twinsync"
    template_fields: Sequence[str] = (*DecoratedOperator.template_fields, *_RETURNABLE)
    #: Airflow shows the arguments that the function returned.
    overwrite_rtif_after_execution = True
    call_fields = tuple(DecoratedOperator.template_fields)

    def __init__(
        self,
        *,
        text: Any = None,
        image_url: Any = None,
        pronouncer: Any = None,
        destination: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            text=text, image_url=image_url, pronouncer=pronouncer, destination=destination, **kwargs
        )

    def _execute(self, context: Context) -> Video:
        context_merge(context, self.op_kwargs)
        returned = internals.call(self.python_callable, self.op_args, context)
        if not isinstance(returned, (str, dict)):
            raise UsageError(
                f"TS148 The function of the task returned {shown_text(returned)}: let it return a text, or a "
                f"dict with some of {', '.join(_RETURNABLE)}."
            )
        given = returned if isinstance(returned, dict) else {"text": returned}
        if unknown := given.keys() - set(_RETURNABLE):
            names = shown_text(", ".join(sorted(map(str, unknown))))
            raise UsageError(
                f"TS148 The function of the task returned the arguments {names}: give them to the decorator. "
                f"The function may return a text, or a dict with some of {', '.join(_RETURNABLE)}."
            )
        for name, value in given.items():
            setattr(self, name, value)
        return super()._execute(context)


def twinsync_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Make a video of the text, or of the ``dict`` of arguments, that a function returns: ``@task.twinsync``.

    For example::

        @task.twinsync(
            image_url="s3://aws_default@photos/anna.jpg",
            pronouncer="en-US-JennyNeural",
            destination="s3://aws_default@videos/{{ run_id }}.mp4",
        )
        def morning_news(ds=None) -> str:
            return f"Good morning! Here is the news of {ds}."

    The task is a :class:`~airflow_provider_twinsync.operators.TwinSyncVideoOperator`, and takes its
    arguments. The function may return ``text``, ``image_url``, ``pronouncer``, ``destination``,
    ``twinsync_conn_id`` and ``ledger``. Airflow does not render the values that it returns. A retry calls
    the function again: if it returns another text, the task pays for another video.

    :param python_callable: the function.
    :param kwargs: the arguments of the operator.
    """
    return task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=_TwinSyncDecoratedOperator, **kwargs
    )
