"""Find the signature in an http(s) address: it changes with each signing, and opens the photo. Pure.

The services that sign addresses, each with the parameter that proves a signature and with all of its
parameters: Amazon S3 and stores with its protocol, Google Cloud Storage, Alibaba OSS, Tencent COS, Azure
Storage, Amazon CloudFront, Huawei OBS, and services with a token.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

#: The parameter of a signature, and a pattern of the names that are part of it, in lower case. A parameter
#: that chooses or changes the picture, such as ``versionId`` or ``x-oss-process``, is none of these.
_SIGNATURES = {
    "x-amz-signature": r"x-amz-.+",
    "x-goog-signature": r"x-goog-.+",
    "x-oss-signature": r"x-oss-(signature(-version)?|credential|date|expires|security-token)"
    r"|x-oss-additional-headers",
    "q-signature": r"q-(signature|sign-algorithm|ak|(sign|key)-time|(header|url-param)-list)"
    r"|x-cos-security-token",
    "signature": r"signature|expires|policy|key-pair-id|googleaccessid|(aws|oss)?accesskeyid"
    r"|(x-(amz|obs)-)?security-token",
    "sig": r"sig|se|sp|sv|sr|st|ss|srt|spr|sip|si|sdd|ses|sk[a-z]{1,4}|saoid|suoid|scid",
    "token": r"token|expires",
}
#: A shorter value may be in an answer by chance.
_LEAST_SECRET = 8


def without_signature(url: str) -> str:
    """Return an address without the parameters of its signature; the rest keeps its order.

    >>> without_signature("https://h/a.jpg?w=200&X-Amz-Date=20261128T090000Z&X-Amz-Signature=ff")
    'https://h/a.jpg?w=200'
    >>> without_signature("https://h/a.jpg?w=200&Expires=7")
    'https://h/a.jpg?w=200&Expires=7'
    """
    signed, kept = _split(url)
    if not signed:
        return url
    bare, hash_mark, fragment = url.partition("#")
    query = "&".join(kept)
    return f"{bare.partition('?')[0]}{query and '?'}{query}{hash_mark}{fragment}"


def signature_values(url: str) -> list[str]:
    """Return the values of an address's signature, without percent-encoding.

    >>> signature_values("https://h/a.jpg?w=200&sp=r&sig=a%2Fb%2Fc%2Fd%2Fe")
    ['a/b/c/d/e']
    """
    values = (unquote_plus(one.partition("=")[2]) for one in _split(url)[0])
    return [value for value in values if len(value) >= _LEAST_SECRET]


def _split(url: str) -> tuple[list[str], list[str]]:
    """Return the parameters of the signature and the others, as they are written."""
    parameters = url.partition("#")[0].partition("?")[2].split("&")
    names = [unquote_plus(one.partition("=")[0]).lower() for one in parameters]
    found = {name for name, one in zip(names, parameters, strict=True) if one.partition("=")[2]}
    pattern = "|".join(part for proof, part in _SIGNATURES.items() if proof in found)
    signed: list[str] = []
    kept: list[str] = []
    for name, one in zip(names, parameters, strict=True):
        (signed if pattern and re.fullmatch(pattern, name) else kept).append(one)
    return signed, kept
