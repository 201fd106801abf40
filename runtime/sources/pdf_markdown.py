"""PDF documents as Markdown, with their headings, lists and tables."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from dpipe.runtime.sources.base import Context, Read, Reading, Unreadable
from dpipe.runtime.sources.pdf import each_document, joined, of_page, one_at_a_time
from dpipe.runtime.sources.pdf_layout import pages_of
from dpipe.runtime.sources.pdf_ocr import text_of


def read(
    path: str | list[str], as_: str = "markdown", ocr: str = "eng", *, context: Context
) -> Reading:
    """A row ``{ path, text }`` a document, its pages a blank line apart.

    A page that is a picture is read in the languages of ``ocr``, as plain text. One without text
    is told as unreadable and the rest of its document kept; so is a whole document without text.
    """
    return each_document(path, context, partial(_markdown, languages=ocr))


def _markdown(document: Any, name: str, languages: str) -> Iterator[Read]:
    try:
        with one_at_a_time:
            texts = [_plain(page["text"]) for page in pages_of(document)]
    except Exception:  # of whatever kind MuPDF makes of a damaged page
        yield Unreadable(name, "a page is damaged, so that its layout cannot be read")
        return
    look = partial(text_of, languages=languages)
    pages = (text or of_page(document, at, name, look) for at, text in enumerate(texts))
    yield from joined(name, list(pages))


def _plain(text: str) -> str:
    """The text without the spaces that end its lines and the gaps that pictures leave."""
    paragraphs = "\n".join(line.rstrip() for line in text.splitlines()).split("\n\n")
    kept = (paragraph.strip("\n") for paragraph in paragraphs)
    text = "\n\n".join(paragraph for paragraph in kept if paragraph)
    return text.encode("utf-8", "ignore").decode().replace("\0", "")
