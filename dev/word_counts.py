"""Compare our counts of words with ICU's: the table in docs/howto/submit.md.

Needs PyICU, which nothing else does: ``apt-get install pkg-config libicu-dev``, then in an environment of
your own ``pip install PyICU`` and ``python -m dev.word_counts``.
"""

from __future__ import annotations

import icu

from airflow_provider_twinsync.text import count_words
from dev import CHECKOUT

TEXTS = CHECKOUT / "tests" / "data" / "texts.tsv"
#: Lower statuses are no words: spaces, punctuation and symbols (UBRK_WORD_NONE_LIMIT).
_FIRST_WORD_STATUS = 100


def icu_words(text: str) -> int:
    """Return the number of words that ICU finds, with its dictionaries for the scripts without spaces."""
    breaks = icu.BreakIterator.createWordInstance(icu.Locale.getRoot())
    breaks.setText(text)
    return sum(breaks.getRuleStatus() >= _FIRST_WORD_STATUS for _ in breaks)


def main() -> None:
    """Print the rows of the texts where the counts differ, and how many are equal."""
    lines = TEXTS.read_text(encoding="utf-8").splitlines()
    texts = [line.split("\t") for line in lines if not line.startswith("#")]
    counts = [(kind, count_words(text), icu_words(text), len(text.split())) for kind, _, text in texts]
    differing = [row for row in counts if row[1] != row[2]]
    print(f"ICU {icu.ICU_VERSION}. The other {len(counts) - len(differing)} texts have the same count.")
    print("| text | our count | ICU | split at spaces |\n|---|---|---|---|")
    for kind, ours, theirs, spaces in differing:
        print(f"| `{kind}` | {ours} | {theirs} | {spaces} |")


if __name__ == "__main__":
    main()
