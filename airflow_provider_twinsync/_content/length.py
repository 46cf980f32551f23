"""The length of a video, from the number of its words. Pure."""

from __future__ import annotations

#: Languages that count each character as a word; speakers say about 4.5 of them a second.
_SIGNS = ("zh", "yue", "wuu", "ja", "th", "lo", "km", "my")
#: 150 words a minute: a calm speaker (the voices of Microsoft read at about this speed).
_WORD_S, _SIGN_S = 0.4, 0.22


def expected_s(words: int, pronouncer: str) -> float:
    """Return the seconds that a voice takes for a text, without a long pause.

    >>> expected_s(150, "en-US-JennyNeural"), expected_s(100, "zh-CN-XiaohanNeural")
    (60.0, 22.0)

    :param words: the number of words, as :func:`~airflow_provider_twinsync.text.count_words` counts them.
    :param pronouncer: the voice, whose language decides.
    """
    is_of_signs = pronouncer.lower().partition("-")[0] in _SIGNS
    return words * (_SIGN_S if is_of_signs else _WORD_S)


def plausible_s(words: int, pronouncer: str) -> tuple[float, float]:
    """Return the shortest and the longest plausible video of a text, in seconds.

    The limits are wide: voices differ, a styled voice speaks slowly, and ``1,299.99`` is one word.

    >>> plausible_s(150, "en-US-JennyNeural")
    (20.5, 190.0)
    """
    usual_s = expected_s(words, pronouncer)
    return round(max(0.0, usual_s * 0.35 - 0.5), 3), round(usual_s * 3 + 10, 3)
