"""Write the text of a stranger into a page. Pure."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from airflow_provider_twinsync._api.shown import few_marks

#: The characters of a text in a page.
MAX_CHARACTERS = 300
#: Controls, halves of surrogate pairs, and marks that change the direction of the text around them. The
#: joiners of Persian, of Hindi and of emoji stay.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]+")


def plain(text: Any, limit: int = MAX_CHARACTERS) -> str:
    """Return a text for HTML: escaped, bounded, on one line, without marks that change its neighbours.

    >>> plain("<b> & more", 5)
    '&lt;b&gt; &amp;…'

    :param limit: the most characters.
    """
    shown = " ".join(_UNSEEN.sub(" ", few_marks(str(text)[: 4 * limit])).split())
    return escape(shown if len(shown) <= limit else f"{shown[:limit]}…")
