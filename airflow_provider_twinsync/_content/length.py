"""The length of a video, from the number of its words. Pure."""

from __future__ import annotations

#: Languages that count each character as a word: about 4.5 a second.
_SIGNS = ("zh", "yue", "wuu", "ja", "th", "lo", "km", "my")
#: 150 words a minute: a calm speaker (the voices of Microsoft read at about this speed).
_WORD_S, _SIGN_S = 0.4, 0.22
#: Of these languages a character is a letter, and not a syllable.
_LETTERS = ("th", "lo", "km", "my")
#: A third of the time of a calm speaker: nobody speaks that fast. Thai has up to 15 letters a second.
_FASTEST_WORD_S, _FASTEST_SIGN_S, _FASTEST_LETTER_S = 0.14, 0.07, 0.03
#: Nobody spells a character more slowly: a voice spells a long number and a web address, which are one word.
_SPELT_S = 0.5
#: No word is shorter.
_SHORTEST_S = 0.2


def expected_s(words: int, pronouncer: str) -> float:
    """Return the seconds that a voice takes for a text, without a long pause.

    >>> expected_s(150, "en-US-JennyNeural"), expected_s(100, "zh-CN-XiaohanNeural")
    (60.0, 22.0)

    :param words: the number of words, as :func:`~airflow_provider_twinsync.text.count_words` counts them.
    :param pronouncer: the voice, whose language decides.
    """
    is_of_signs = pronouncer.lower().partition("-")[0] in _SIGNS
    return words * (_SIGN_S if is_of_signs else _WORD_S)


def plausible_s(words: int, pronouncer: str, characters: int = 0) -> tuple[float, float]:
    """Return the shortest and the longest plausible video of a text, in seconds.

    The limits are wide, as a good video must be inside: voices differ, a Thai syllable has three letters, a
    voice of many languages may speak Chinese, and ``1,299.99`` is one word that takes four seconds.

    >>> plausible_s(150, "en-US-JennyNeural"), plausible_s(1, "en-US-JennyNeural", len("A" * 80))
    ((20.5, 610.0), (0.2, 50.0))

    :param words: as :func:`expected_s`.
    :param pronouncer: as :func:`expected_s`.
    :param characters: the number of characters of the text; 0 if it is unknown.
    """
    language = pronouncer.lower().partition("-")[0]
    fastest_s = _FASTEST_WORD_S
    if language in _SIGNS or "multilingual" in pronouncer.lower():
        fastest_s = _FASTEST_LETTER_S if language in _LETTERS else _FASTEST_SIGN_S
    longest_s = max(expected_s(words, pronouncer) * 10, characters * _SPELT_S) + 10
    return round(max(_SHORTEST_S, words * fastest_s - 0.5), 3), round(longest_s, 3)
