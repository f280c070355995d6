"""X's text: how long it is as X counts, and whether two texts are the same although X has shortened their links."""

import html
import unicodedata

import regex

URL_WEIGHT = 23
"""Every link counts so much: X replaces it by one of its own."""

_URL = regex.compile(
    r"https?://[^\s]+"
    # Without a scheme X makes links of names with known endings; this is the part of them that people write.
    r"|(?<![@\w.-])(?:[a-z0-9-]+\.)+(?:com|org|net|edu|gov|info|io|app|dev|tv|me|co|eu|de|at|ch|fr|it|es|nl|uk|us)"
    r"(?![\w-])(?:/[^\s]*)?",
    regex.IGNORECASE,
)
_EMOJI = regex.compile(r"\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3")
_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
"""Code points that count 1; all others count 2, and so does an emoji, of however many it is made."""


def has_link(text: str) -> bool:
    return _URL.search(text) is not None


def weight_of(text: str) -> int:
    """How long X takes the text to be."""
    normal = unicodedata.normalize("NFC", text)
    links = len(_URL.findall(normal))
    return links * URL_WEIGHT + sum(map(_weight, regex.findall(r"\X", _URL.sub("", normal))))


def _weight(cluster: str) -> int:
    if _EMOJI.search(cluster) and not cluster.isascii():
        return 2
    return sum(1 if any(first <= ord(one) <= last for first, last in _LIGHT) else 2 for one in cluster)


def core_of(text: str) -> str:
    """What two texts have in common when X has replaced links in one of them, added that of the video, and escaped
    &, < and >."""
    return " ".join(_URL.sub(" ", html.unescape(unicodedata.normalize("NFC", text))).split())
