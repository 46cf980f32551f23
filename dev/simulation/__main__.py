"""Where `make simulate` enters: the environment is set before anything imports Airflow."""

from __future__ import annotations

import os
import sys
import tempfile

# `python -m` searches the working folder first, but the installed package is simulated.
sys.path.append(sys.path.pop(0))

_NOT_OURS = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def main() -> int:
    """Run the command; return its exit status."""
    if sys.version_info < (3, 12):
        print("The simulation needs Python 3.12 or later.", file=sys.stderr)
        return 2
    for name in list(os.environ):
        if name.startswith("AIRFLOW_") or name.upper() in _NOT_OURS:
            del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="twinsync-simulation-") as home:
        os.environ["AIRFLOW_HOME"] = home
        from dev.simulation import run

        return run.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
