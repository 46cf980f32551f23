"""The environment of the tests, which `conftest.py` sets before anything imports Airflow.

No test reads the user's configuration, connections or proxies, and no request leaves this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = "airflow_provider_twinsync"
#: Of the installed one, which is not imported yet.
AIRFLOW_VERSION = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
#: Warnings that announce a removal. Airflow's own are of these classes: RemovedInAirflow4Warning and
#: AirflowProviderDeprecationWarning are DeprecationWarnings, DeprecatedImportWarning is a FutureWarning.
DEPRECATIONS = ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")
KEY = "emulator-key-5d41"

HOME = tempfile.TemporaryDirectory(prefix="twinsync-tests-")


#: An import of an example, and in a comment the module that has the same names on Airflow 2.
IMPORT_FOR_AIRFLOW_2 = r"(?m)^( *)from airflow\.sdk (import .*?)  # Airflow 2: (\S+)$"


def for_this_airflow(source: str) -> str:
    """Return an example with the imports of this Airflow: those for Airflow 2 are in a comment beside."""
    if AIRFLOW_VERSION >= (3, 0):
        return source
    return re.sub(IMPORT_FOR_AIRFLOW_2, r"\1from \3 \2", source)


#: The example DAGs, for this Airflow.
EXAMPLES = CHECKOUT / "example_dags"
if AIRFLOW_VERSION < (3, 0):
    EXAMPLES = Path(HOME.name) / "example_dags"
    EXAMPLES.mkdir()
    for _example in (CHECKOUT / "example_dags").glob("*.py"):
        _text = for_this_airflow(_example.read_text(encoding="utf-8"))
        (EXAMPLES / _example.name).write_text(_text, encoding="utf-8")
    for _talk in (CHECKOUT / "example_dags").glob("*.txt"):
        shutil.copy(_talk, EXAMPLES)

_NOT_OURS = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
for _name in list(os.environ):
    if _name.startswith(("AIRFLOW_", "OPENLINEAGE")) or _name.upper() in _NOT_OURS:
        del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": HOME.name,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
    "NETRC": os.devnull,
    "NO_PROXY": "localhost,127.0.0.1,::1",
    "HYPOTHESIS_STORAGE_DIRECTORY": str(CHECKOUT / ".hypothesis"),
}
# For `dev`; at the end, so that a package that is installed is found there and not in the checkout.
sys.path.append(str(CHECKOUT))
