"""The figures of PDF documents, each with the text around it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from dpipe.runtime.sources.base import Context, Read, Reading, Record, Unreadable
from dpipe.runtime.sources.pdf import DPI, each_document, one_at_a_time
from dpipe.runtime.sources.pdf_layout import pages_of

_SMALLEST = 36
"""Points: what is half an inch or less in either direction is an ornament."""

_AROUND = 72
"""Points around a figure in which a piece of text belongs to it: a caption, a mention."""


def read(path: str | list[str], as_: str = "figures", *, context: Context) -> Reading:
    """A row ``{ path, number, figure, text }`` a figure; ``number`` is its page's, from 1.

    Figures are the pictures and drawings of a page as they are seen there, as PNG data URLs.
    """
    return each_document(path, context, _figures)


def _figures(document: Any, name: str) -> Iterator[Read]:
    silent = True
    for at in range(document.page_count):
        place = f"{name} page {at + 1}"
        try:
            with one_at_a_time:
                found = list(_of_page(document, at))
        except Exception:  # of whatever kind MuPDF makes of a damaged page
            yield Unreadable(place, "the page is damaged")
            silent = False
            continue
        for number, values in enumerate(found, 1):
            own = f"{place} figure {number}"
            yield Record({"path": name, "number": at + 1, **values}, own, own)
            silent = False
    if silent:
        yield Unreadable(name, "holds no figures")


def _of_page(document: Any, at: int) -> Iterator[dict[str, Any]]:
    (layout,) = pages_of(document, at)
    for box in layout["page_boxes"]:
        area = _area(box["bbox"])
        if box["class"] == "picture" and min(area.width, area.height) > _SMALLEST:
            picture = document[at].get_pixmap(dpi=DPI, clip=area).tobytes("png")
            yield {
                "figure": "data:image/png;base64," + b64encode(picture).decode("ascii"),
                "text": _text_around(area, layout),
            }


def _text_around(area: Any, layout: dict[str, Any]) -> str:
    """The pieces of text that are near, in the order of reading; they may be none."""
    near = _area(area, _AROUND)
    pieces = []
    for box in layout["page_boxes"]:
        if near.intersects(box["bbox"]):
            start, end = box["pos"]
            pieces.append(layout["text"][start:end].strip())
    return "\n\n".join(filter(None, pieces))


def _area(box: Sequence[float], around: float = 0) -> Any:
    """The rectangle of a box, and so much around it."""
    import pymupdf

    rect: Any = pymupdf.Rect
    left, top, right, bottom = box
    return rect(left - around, top - around, right + around, bottom + around)
