"""The fixture that the package gives to other people's tests."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap


def test_the_fixture_is_a_fresh_emulator_for_each_test(tmp_path):
    """As a user would have it: one line in a conftest.py."""
    (tmp_path / "conftest.py").write_text(
        'pytest_plugins = ["airflow_provider_twinsync.emulator.pytest_plugin"]\n', encoding="utf-8"
    )
    test = """
        import pytest, requests

        @pytest.mark.parametrize("again", [False, True])
        def test_it(twinsync_emulator, again):
            assert twinsync_emulator.world.journal == []
            form = {"text": "a", "image_url": "http://b.example", "pronouncer": "c"}
            form["key"] = twinsync_emulator.key
            answer = requests.post(f"{twinsync_emulator.url}/phototalking", data=form, timeout=10).json()
            assert answer["result_code"] == 100
    """
    (tmp_path / "test_it.py").write_text(textwrap.dedent(test), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(tmp_path)]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # without the other plugins of this machine
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path, env=alone
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
