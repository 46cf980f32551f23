"""The command line, for example its error when the extra is not installed."""

from __future__ import annotations

import re
import signal
import socket
import threading
import time

import pytest
import requests

from airflow_provider_twinsync.emulator import Hang

from .conftest import MODULE, run, running


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_when_told(signum):
    """Address and key in the first line; status 0 at once, though a request hangs."""
    with running("--port", "0", "--key", "k", "--waiting", "0", "--duration", "0") as (process, line):
        match = re.fullmatch(r"TwinSync emulator at (http://127\.0\.0\.1:\d+) with key k\n", line)
        assert match is not None
        url = match[1]
        fault = {"call": "status", "fault": Hang().name}
        requests.post(f"{url}/_emulator/faults", json=fault, timeout=10).raise_for_status()

        def wait_for_ever():
            with pytest.raises(requests.ConnectionError):
                requests.get(f"{url}/phototalking", timeout=20)

        waiting = threading.Thread(target=wait_for_ever)
        waiting.start()
        while not requests.get(f"{url}/_emulator/journal", timeout=10).json():
            pass
        before = time.monotonic()
        process.send_signal(signum)
        out, err = process.communicate(timeout=10)
        assert time.monotonic() - before < 2
        assert (process.returncode, out, err) == (0, "", "")
        waiting.join()


def test_a_port_in_use_is_one_line():
    """No traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("-m", MODULE, "--port", port)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert port in done.stderr


def test_help():
    """Every option and its default."""
    done = run("-m", MODULE, "--help")
    assert done.returncode == 0
    for word in (
        "--host",
        "--port",
        "--key",
        "--waiting",
        "--duration",
        "--photos",
        "--allow-host",
        "--state",
        "17374",
        "emulator-key",
    ):
        assert word in done.stdout


@pytest.mark.parametrize(
    "args",
    [
        ("--colour", "red"),
        ("--dur", "1"),
        ("extra",),
        ("--port", "-1"),
        ("--port", "65536"),
        ("--port", "http"),
        ("--waiting", "-1"),
        ("--duration", "nan"),
        ("--duration", "soon"),
        ("--key", ""),
        ("--photos", "none"),
    ],
)
def test_a_wrong_option_is_an_error(args):
    """Status 2, with the option or its value named."""
    done = run("-m", MODULE, *args)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert args[0] in done.stderr


WITHOUT = """
import runpy, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
sys.argv = ["emulator"]
{code}
"""


@pytest.mark.parametrize("missing", ["aiohttp", "av", "PIL", "manimgx_fonts_cjk"])
def test_the_command_without_the_extra_says_what_to_install(missing):
    """One line, whichever package is missing."""
    code = f"runpy.run_module({MODULE!r}, run_name='__main__', alter_sys=True)"
    done = run("-c", WITHOUT.format(missing=missing, code=code))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install 'airflow-provider-twinsync[emulator]'" in done.stderr
    assert missing in done.stderr


def test_the_import_without_the_extra_says_what_to_install():
    """The one error, with no other behind it."""
    done = run("-c", WITHOUT.format(missing="av", code=f"from {MODULE} import Emulator"))
    assert "pip install 'airflow-provider-twinsync[emulator]'" in done.stderr.splitlines()[-1]
    assert "During handling" not in done.stderr


@pytest.mark.parametrize("missing", ["aiohttp", "av", "PIL", "manimgx_fonts_cjk"])
def test_the_pytest_plugin_without_the_extra_says_what_to_install(missing, tmp_path):
    """Before any test is run."""
    code = f"import pytest; sys.exit(pytest.main(['-p', '{MODULE}.pytest_plugin', {str(tmp_path)!r}]))"
    done = run("-c", WITHOUT.format(missing=missing, code=code))
    assert done.returncode
    assert "pip install 'airflow-provider-twinsync[emulator]'" in done.stderr.splitlines()[-1]
    assert missing in done.stderr.splitlines()[-1]


def test_the_faults_and_the_world_need_no_extra():
    """They are plain data."""
    blocked = WITHOUT.format(missing="av", code=f"from {MODULE} import Hang; import {MODULE}.world")
    assert run("-c", blocked).returncode == 0


def test_the_emulator_imports_nothing_of_the_client():
    """A mistake that both share would pass every test; and no Airflow, which it does not need."""
    code = f"""
import sys
from {MODULE} import Emulator
mine = [name for name in sys.modules if name.startswith("airflow")]
print([name for name in mine if not name.startswith({MODULE!r}) and name != "airflow_provider_twinsync"])
"""
    assert run("-c", code).stdout.strip() == "[]"
