"""Web pages: what a reader sees, as Markdown without links and emphasis."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup
from bs4.dammit import EncodingDetector
from markdownify import ATX, MarkdownConverter

from dpipe.runtime.sources.base import Context, Reading
from dpipe.runtime.sources.encodings import decode
from dpipe.runtime.sources.files import read_each

SUFFIXES = (".html", ".htm", ".xhtml")
_UNSEEN = ("head", "noscript", "script", "style", "svg", "template")
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252", "latin-1": "cp1252"}


class _Markdown(MarkdownConverter):
    """Markdown in which a bar in a cell is none between cells."""

    def convert_td(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return str(super().convert_td(el, text.replace("|", "\\|"), parent_tags))  # type: ignore[misc]

    def convert_th(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return str(super().convert_th(el, text.replace("|", "\\|"), parent_tags))  # type: ignore[misc]


_to_markdown = _Markdown(
    heading_style=ATX,
    bullets="-",
    strip=["a", "b", "em", "i", "img", "strong"],
    escape_asterisks=False,
    escape_underscores=False,
    table_infer_header=True,
)


def read(path: str | list[str], empty: str = "reject", *, context: Context) -> Reading:
    """Each page's text: headings, lists, tables and code as Markdown has them.

    The title is a heading at its top, unless the page's own first heading says the same.
    """
    return read_each(path, SUFFIXES, context, text_of, empty)


def text_of(data: bytes) -> str:
    page = BeautifulSoup(_decoded(data), "lxml")
    title = _line(page.title)
    for part in page(_UNSEEN):
        part.decompose()
    try:
        text: str = _to_markdown.convert_soup(page).strip()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not title or not text or title == _line(page.find(["h1", "h2", "h3"])):
        return text
    return f"# {title}\n\n{text}"


def _line(part: Any) -> str:
    return " ".join(part.get_text().split()) if part else ""


def _decoded(data: bytes) -> str:
    """The page's characters: what it says of its encoding counts where it is no UTF-8."""
    declared = (EncodingDetector.find_declared_encoding(data, is_html=True) or "").lower()
    try:
        data.decode()
    except UnicodeDecodeError:
        try:
            return data.decode(_WIDER.get(declared, declared))
        except (LookupError, UnicodeDecodeError):
            pass
    return decode(data)
