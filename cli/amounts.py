"""Numbers as people read them."""

from __future__ import annotations


def count(number: float, noun: str = "") -> str:
    """``1,204 rows``; the noun's plural ends in s."""
    text = f"{number:,.0f}"
    if not noun:
        return text
    return f"{text} {noun}" if number == 1 else f"{text} {noun}s"


def short(number: float) -> str:
    """A large number in at most four signs: ``84k``, ``1.2M``."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= unit * 0.9995:
            scaled = number / unit
            return f"{scaled:.0f}{name}" if scaled >= 9.95 else f"{scaled:.1f}{name}"
    return f"{number:.0f}"


def rate(number: float) -> str:
    return f"{number:.1f}" if 0 < number < 9.95 else count(number)


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 05 s``, ``2 h 10 min``"""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def money(dollars: float) -> str:
    """``$0.0012``, ``$0.42``, ``$1,204``: two digits that matter, or the whole dollars."""
    if dollars >= 100:
        return f"${dollars:,.0f}"
    return f"${dollars:.2f}" if dollars >= 0.1 or dollars == 0 else f"${dollars:.2g}"


def tokens(given: int, got: int) -> str:
    """``84k tokens in, 12k out``"""
    return f"{short(given)} tokens in, {short(got)} out"
