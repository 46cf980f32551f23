"""The developer's commands of the Makefile, such as ``make demo``; not part of the package."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
