"""One outage: the polls in a row without a status, and the tolerance for them. Pure."""

from __future__ import annotations

#: An outage ends a wait after at least two polls: one poll alone may last as long as the tolerance.
_MIN_POLLS = 2
#: A poll that begins within this time before the end of the tolerance may be the last one.
_LAST_POLL_S = 30.0


class Outage:
    """The polls in a row without a status.

    For example, a tolerance of 300 s ends an outage that began at 60 s with the poll at 360 s.

    :ivar polls: how many there are; 0 while the status is available.
    :ivar since_s: the first of them, in seconds from the start of the wait.
    """

    def __init__(self) -> None:
        self.polls = 0
        self.since_s = 0.0

    def begin(self, elapsed_s: float) -> None:
        """Count the first poll, or take over an outage that another process began."""
        self.polls, self.since_s = 1, elapsed_s

    def record(self, elapsed_s: float) -> None:
        """Count a poll without a status."""
        if not self.polls:
            self.since_s = elapsed_s
        self.polls += 1

    def end(self) -> None:
        """Forget the outage: there is a status again."""
        self.polls = 0

    def left_s(self, tolerance_s: float | None, now_s: float) -> float | None:
        """Return the seconds that the outage may still last; None without an outage or a tolerance."""
        if tolerance_s is None or not self.polls:
            return None
        return self.since_s + tolerance_s - now_s

    def may_be_last(self, tolerance_s: float | None, elapsed_s: float) -> bool:
        """Return whether a poll that begins now may be the last one of the outage."""
        left_s = self.left_s(tolerance_s, elapsed_s)
        return (
            left_s is not None and tolerance_s is not None and left_s <= min(_LAST_POLL_S, tolerance_s / 10)
        )

    def is_over(self, tolerance_s: float | None, elapsed_s: float, took_s: float) -> bool:
        """Return whether the outage ends the wait.

        The last poll is under way at the end of the tolerance, or begins then.

        :param elapsed_s: seconds from the start of the wait to the poll.
        :param took_s: seconds that the poll took.
        """
        left_s = self.left_s(tolerance_s, elapsed_s + took_s)
        is_used_up = left_s is not None and left_s <= 0
        return is_used_up and self.may_be_last(tolerance_s, elapsed_s) and self.polls >= _MIN_POLLS
