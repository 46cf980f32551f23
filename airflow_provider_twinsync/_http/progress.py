"""How far a request came, for the question whether the service may have received it."""

from __future__ import annotations

from datetime import datetime, timezone


class Progress:
    """The progress of one request, as its connection reports it.

    An error, an alarm or Ctrl-C may end a request at any line, and a later urllib3 may no longer call the
    methods that report here. Before :meth:`start` nothing was sent. After it, "not sent" needs a report that
    proves it: the connection was not made, or the system did not take all of the request. For example::

        progress = Progress()
        outcome = send(settings, request, progress)
        if progress.was_sent is False:
            ...  # another submit is safe

    :ivar was_sent: True if the system took every byte; False if the service cannot have the complete request;
        None if that is unknown, so it may have.
    :ivar sent_at: when the first byte was handed to the system, or None.
    """

    def __init__(self) -> None:
        self.was_sent: bool | None = False
        self.sent_at: datetime | None = None

    def start(self) -> None:
        """Note that a library takes the request over, or begins to connect."""
        if self.sent_at is None:
            self.was_sent = None

    def not_connected(self) -> None:
        """Note that the connection was not made."""
        if self.sent_at is None:
            self.was_sent = False

    def hand_over(self) -> None:
        """Note that the first byte is about to be handed to the system."""
        self.was_sent = None
        self.sent_at = self.sent_at or datetime.now(timezone.utc)

    def cut(self) -> None:
        """Note that the system did not take all bytes: the end of the form, the key, is missing."""
        self.was_sent = False

    def complete(self) -> None:
        """Note that the system took every byte."""
        self.was_sent = True
