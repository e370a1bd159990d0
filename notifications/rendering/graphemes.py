"""Cutting text between characters as a person sees them (UAX #29, extended grapheme clusters).

Python counts code points: a flag has two of them, a family of emoji seven, and a letter may carry marks.
"""

import unicodedata

_LONGEST_CLUSTER = 64  # a longer one is no character but an attack, and is cut anywhere
_JOINER = "\u200d"
_VIRAMA = 9  # the combining class of marks that join two letters of an Indic script


def boundary(text: str, at: int) -> int:
    """Return the last place at or before `at` where `text` can be cut."""
    if at >= len(text):
        return len(text)
    for place in range(at, max(0, at - _LONGEST_CLUSTER), -1):
        if not _joined(text, place):
            return place
    return 0 if at < _LONGEST_CLUSTER else at


def next_boundary(text: str, at: int) -> int:
    """Return the first place at or after `at` where `text` can be cut."""
    for place in range(max(0, at), min(len(text), at + _LONGEST_CLUSTER)):
        if place == 0 or not _joined(text, place):
            return place
    return min(len(text), at)


def _joined(text: str, place: int) -> bool:
    """Return whether the code points before and after `place` belong to one character."""
    before, after = text[place - 1], text[place]
    if after < "\u0300":  # nearly always: nothing below is joined, but the end of a line
        return before == "\r" and after == "\n"
    if _extends(after) or before == _JOINER:
        return True
    if _is_regional(before) and _is_regional(after):
        return _regionals_before(text, place) % 2 == 1
    if unicodedata.combining(before) == _VIRAMA:
        return unicodedata.category(after) == "Lo"
    return _joins_hangul(before, after)


def _extends(char: str) -> bool:
    return (
        char == _JOINER
        or unicodedata.category(char) in {"Mn", "Me", "Mc"}
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= char <= "\U000e007f"  # tags: the flags of Scotland and Wales
        or char in "\u200c\uff9e\uff9f"
    )


def _is_regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _regionals_before(text: str, place: int) -> int:
    start = place
    while start > 0 and _is_regional(text[start - 1]):
        start -= 1
    return place - start


def _joins_hangul(before: str, after: str) -> bool:
    """Return whether two jamo, or a syllable and a jamo, are one syllable."""
    if "\u1100" <= before <= "\u115f":
        return "\u1100" <= after <= "\u11a7" or "\uac00" <= after <= "\ud7a3"
    is_vowel = "\u1160" <= after <= "\u11a7"
    if "\uac00" <= before <= "\ud7a3":
        return "\u11a8" <= after <= "\u11ff" or (is_vowel and (ord(before) - 0xAC00) % 28 == 0)
    if "\u1160" <= before <= "\u11a7":
        return "\u1160" <= after <= "\u11ff"
    return "\u11a8" <= before <= "\u11ff" and "\u11a8" <= after <= "\u11ff"
