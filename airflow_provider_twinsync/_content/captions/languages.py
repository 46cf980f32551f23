"""The language of a voice as MP4 files state it. Pure."""

from __future__ import annotations

#: ISO 639-1 and ISO 639-2/T, for the languages of Microsoft's voices.
_PAIRS = (
    "af:afr am:amh ar:ara as:asm az:aze bg:bul bn:ben bs:bos ca:cat cs:ces cy:cym da:dan de:deu el:ell "
    "en:eng es:spa et:est eu:eus fa:fas fi:fin fr:fra ga:gle gl:glg gu:guj he:heb hi:hin hr:hrv hu:hun "
    "hy:hye id:ind is:isl it:ita iu:iku ja:jpn jv:jav ka:kat kk:kaz km:khm kn:kan ko:kor lo:lao lt:lit "
    "lv:lav mk:mkd ml:mal mn:mon mr:mar ms:msa mt:mlt my:mya nb:nob ne:nep nl:nld or:ori pa:pan pl:pol "
    "ps:pus pt:por ro:ron ru:rus si:sin sk:slk sl:slv so:som sq:sqi sr:srp su:sun sv:swe sw:swa ta:tam "
    "te:tel th:tha tr:tur uk:ukr ur:urd uz:uzb vi:vie zh:zho zu:zul"
)


def iso_639_2(pronouncer: str) -> str:
    """Return the code of three letters of a voice's language; ``und`` for an unknown one.

    >>> iso_639_2("en-US-JennyNeural"), iso_639_2("fil-PH-BlessicaNeural"), iso_639_2("?")
    ('eng', 'fil', 'und')

    :param pronouncer: the voice, or a locale such as ``en-US``.
    """
    language = pronouncer.partition("-")[0].lower()
    if len(language) == 3 and language.isascii() and language.isalpha():
        return language
    return dict(pair.split(":") for pair in _PAIRS.split()).get(language, "und")
