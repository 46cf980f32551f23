"""The commands of the Makefile get their arguments as they were typed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.whole_airflow,
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
]
CHECKOUT = Path(__file__).resolve().parents[2]


def test_make_passes_a_text_as_it_was_typed(tmp_path: Path) -> None:
    """Quotes, dollar signs, newlines: make does not expand them and no shell sees them."""
    text = "a 'quote' \"two\" $HOME $(shell touch expanded) $$5 `ls` \\n #你好\nsecond line"
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\nprintf "%s" "$DEMO_TEXT|$DEMO_PHOTO|$TEXT" > "$0.out"\n')
    fake.chmod(0o755)
    command = [
        "make",
        "-o",
        ".venv/.installed",
        "demo",
        f"BIN={tmp_path}",
        f"TEXT={text}",
        "PHOTO=~/it's.jpg",
    ]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    assert (tmp_path / "python.out").read_text(encoding="utf-8") == f"{text}|~/it's.jpg|"
    assert not (CHECKOUT / "expanded").exists()


def test_make_refuses_another_python_than_the_one_of_its_environment(tmp_path: Path) -> None:
    for name in ("python", "python3.99"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name}\n")
        (tmp_path / name).chmod(0o755)

    def make(**variables: object) -> subprocess.CompletedProcess[str]:
        given = [f"{name}={value}" for name, value in variables.items()]
        return subprocess.run(
            ["make", "asked-python", f"BIN={tmp_path}", *given],
            cwd=CHECKOUT,
            # The `make` around this test may have been given a PYTHON.
            env={k: v for k, v in os.environ.items() if k not in ("PYTHON", "MAKEFLAGS", "MAKEOVERRIDES")},
            capture_output=True,
            text=True,
        )

    assert make().returncode == 0
    assert make(PYTHON=tmp_path / "python").returncode == 0
    refused = make(PYTHON=tmp_path / "python3.99")
    assert refused.returncode == 2
    assert "run make clean first" in refused.stderr
