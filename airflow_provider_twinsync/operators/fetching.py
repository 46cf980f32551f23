"""The end of a download by a signal, for the operators that download."""

from __future__ import annotations

from typing import Any


class Fetching:
    """A block of a task that downloads. For example::

        with self._fetching:
            hook.download(...)

    A worker of Airflow 3 calls ``on_kill`` at a SIGTERM, lets the task continue, and sends a SIGKILL five
    seconds later. It also calls ``on_kill`` after an ``execution_timeout``, when the download is over.
    """

    def __init__(self) -> None:
        self._is_on = False

    def __enter__(self) -> None:
        self._is_on = True

    def __exit__(self, *_: object) -> None:
        self._is_on = False

    def stop(self, log: Any) -> None:
        """End the block, and so remove the partial file; for ``on_kill``.

        :param log: the task's logger.
        :raises SystemExit: the task is in the block.
        """
        if self._is_on:
            self._is_on = False  # another SIGTERM must not interrupt the removal
            log.warning("TS524 The task was stopped while it fetched the video. Nothing of it is kept.")
            raise SystemExit("TS524 The task was stopped while it fetched the video.")
