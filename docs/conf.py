"""How Sphinx makes the docs: `make docs`. No network is asked, so there is no intersphinx."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))
# The API reference imports the package, and that Airflow, which makes a folder for its configuration.
os.environ["AIRFLOW_HOME"] = str(CHECKOUT / ".airflow" / "docs")

from airflow_provider_twinsync import __version__  # noqa: E402  # with that set

project = "airflow-provider-twinsync"
author = "The airflow-provider-twinsync developers"
release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_show_sphinx = False

myst_heading_anchors = 3
# Plain Markdown is all that the pages need, so that a code host shows them as well.
myst_enable_extensions = ["colon_fence"]

autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 110

nitpicky = True
nitpick_ignore = [
    # Written as they are imported; no build without a network can look them up.
    ("py:class", "Handover"),  # what only the trigger itself makes
    ("py:class", "ObjectStoragePath"),
    ("py:class", "StartTriggerArgs"),
    ("py:class", "TaskDecorator"),
    ("py:class", "timedelta"),
    ("py:class", "WaitOptions"),
    ("py:class", "VideoCheck"),
    ("py:class", "XComArg"),
]
nitpick_ignore_regex = [
    ("py:.*", r"(airflow|collections|os|pathlib|typing)\..*"),
    ("py:class", r"dict\[str"),  # of a field list's type, which docutils splits at the comma
]

#: What is a file in the root for a code host, and a page for the site.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}


def lead_from_here(app: Any, path: Path, docname: str, content: list[str]) -> None:
    """Mend the links in a file of the root, which is all that is included: as a code host has them, they lead
    from there.
    """

    def mended(link: re.Match[str]) -> str:
        target = PAGES.get(link[1], f"../{link[1]}")
        return "](" + target.removeprefix("../docs/")

    content[0] = re.sub(r"\]\((?![a-z]+:|#)([^)#]+)", mended, content[0])


def setup(app: Any) -> None:
    """Take part in what Sphinx does."""
    app.connect("include-read", lead_from_here)
