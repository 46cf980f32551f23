"""The links of a report: no script, no secret, and relative where the folder may be moved. Pure."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import quote

from airflow_provider_twinsync._api.shown import bare_url
from airflow_provider_twinsync._api.validation import is_http_url


def link_to(target: str, report: str) -> str | None:
    """Return the ``href`` of a file for a page, or None if a browser cannot open it.

    The link to a file of the same disk or the same bucket is relative. An http(s) address loses its login and
    its query, which may be a signature.

    >>> link_to("/videos/a b.mp4", "/videos/report.html"), link_to("s3://b/x/1.mp4", "s3://b/report.html")
    ('a%20b.mp4', 'x/1.mp4')
    >>> link_to("s3://other/1.mp4", "s3://b/report.html") is None
    True

    :param target: the path or the address of the file.
    :param report: the path or the address of the page.
    """
    if is_http_url(target):
        return bare_url(target)
    root, path = _split(target)
    own_root, own_path = _split(report)
    if root != own_root or not path:
        return None
    relative = posixpath.relpath("/" + path, posixpath.dirname("/" + own_path))
    # With its colons quoted, no name of a file is an address: `javascript:alert(1).mp4`.
    return quote(relative, errors="surrogatepass")


def task_link(url: str | None) -> str | None:
    """Return the ``href`` of the page of a task, or None for any other than an http(s) address."""
    return url if is_http_url(url) else None


def _split(address: str) -> tuple[str, str]:
    """Return the disk or the bucket of an address, and the path in it."""
    found = re.fullmatch(r"(?s)([A-Za-z][\w+.-]*)://([^/]*)/(.*)", address)
    if not found:
        return "", "" if "://" in address else address.lstrip("/")
    scheme, place, path = found.groups()
    return ("", path) if scheme in ("file", "local") and not place else (f"{scheme}://{place}", path)
