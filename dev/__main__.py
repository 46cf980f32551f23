"""Where `make demo`, `airflow`, `chaos` and `browser` enter, and end without a traceback, whenever that is.

The imports of the rest take a while. A Ctrl-C in that time has to find the handlers in place.
"""

from __future__ import annotations

import signal
import sys

# `python -m` searches the working folder first, but the demo shows the installed package.
sys.path.append(sys.path.pop(0))

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """The user, or the system, wants an end."""

    def __init__(self, number: int) -> None:
        self.number = number


def stop(number: int, frame: object) -> None:
    """Handle a signal: unwind, and so end the started processes."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # the first one counts; the end takes a few seconds
    raise Stopped(number)


def main() -> int:
    """Run the command; return its exit status."""
    try:
        for each in SIGNALS:
            signal.signal(each, stop)
        if sys.argv[1:2] == ["chaos"]:
            from dev.chaos import run as chaos

            return chaos.main(sys.argv[2:])
        if sys.argv[1:2] == ["browser"]:
            from dev.browser import run as browser

            return browser.main(sys.argv[2:])
        from dev import demo

        return demo.main()
    except Stopped as e:
        print("\nStopped; nothing is left running.", file=sys.stderr)
        return 128 + e.number


if __name__ == "__main__":
    sys.exit(main())
