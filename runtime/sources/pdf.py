"""PDF documents: their text, or their pages as pictures.

PyMuPDF is imported in the worker thread that reads the first document, since that takes a
second or two. It may be used by one thread at a time.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from dpipe.runtime.paths import display, find_inputs
from dpipe.runtime.sources.base import Context, Read, Reading, Record, Unreadable, batched
from dpipe.runtime.sources.files import reason

SUFFIXES = (".pdf",)
DPI = 150
one_at_a_time = Lock()


def text(path: str | list[str], as_: str = "text", *, context: Context) -> Reading:
    """A row ``{ path, text }`` a document, its pages a blank line apart.

    A page without text is told as unreadable and the rest of its document kept; so is a whole
    document without text.
    """
    return each_document(path, context, _text)


def pages(path: str | list[str], as_: str = "pages", *, context: Context) -> Reading:
    """A row ``{ path, number, page }`` a page: numbers from 1, pages as PNG data URLs."""
    return each_document(path, context, _pages)


def each_document(
    path: str | list[str], context: Context, read_one: Callable[[Any, str], Iterator[Read]]
) -> Reading:
    """What ``read_one`` finds in each document; it holds ``one_at_a_time`` where it uses one."""
    files = find_inputs(path, context.base, SUFFIXES)
    return Reading(files, lambda: batched(_documents(files, context, read_one), 1))


def _documents(
    files: Sequence[Path], context: Context, read_one: Callable[[Any, str], Iterator[Read]]
) -> Iterator[Read]:
    for file in files:
        name = display(file, context.project)
        with one_at_a_time:
            document = _open(file, name)
        if isinstance(document, Unreadable):
            yield document
            continue
        try:
            yield from read_one(document, name)
        finally:
            with one_at_a_time:
                document.close()


def _open(file: Path, name: str) -> Any:
    """The document, or why there is none."""
    pymupdf = _pymupdf()
    try:
        with file.open("rb") as opened:
            if not opened.read(1):
                return Unreadable(name, "the file is empty")
        document = pymupdf.open(file, filetype="pdf")
        if document.needs_pass:
            document.close()
            return Unreadable(name, "encrypted: it opens with a password only")
        if document.page_count == 0:
            document.close()
            return Unreadable(name, "has no pages, or is damaged")
    except OSError as e:
        return Unreadable(name, reason(e))
    except Exception:  # of whatever kind MuPDF makes of a damaged file
        return Unreadable(name, "not a PDF, or damaged beyond repair")
    return document


def _pymupdf() -> Any:
    import pymupdf

    # What MuPDF has to say about a damaged file goes to the terminal otherwise.
    tools: Any = pymupdf.TOOLS
    tools.mupdf_display_errors(False)
    tools.mupdf_display_warnings(False)
    return pymupdf


def _text(document: Any, name: str) -> Iterator[Read]:
    texts: list[str] = []
    silent: list[Unreadable] = []
    for at in range(document.page_count):
        page = _of_page(document, at, name, _page_text)
        if isinstance(page, Unreadable):
            silent.append(page)
        else:
            texts.append(page)
    if not texts:
        yield Unreadable(name, f"none of its pages ({len(silent)}) holds text that can be read")
        return
    yield Record({"path": name, "text": "\n\n".join(texts)}, name, name)
    yield from silent


def _pages(document: Any, name: str) -> Iterator[Read]:
    for at in range(document.page_count):
        url = _of_page(document, at, name, _page_picture)
        if isinstance(url, Unreadable):
            yield url
            continue
        place = f"{name} page {at + 1}"
        yield Record({"path": name, "number": at + 1, "page": url}, place, place)


def _of_page(document: Any, at: int, name: str, look: Callable[[Any], str]) -> str | Unreadable:
    place = f"{name} page {at + 1}"
    try:
        with one_at_a_time:
            return look(document[at])
    except NoText:
        return Unreadable(place, "the page holds no text")
    except Exception:  # of whatever kind MuPDF makes of a damaged page
        return Unreadable(place, "the page is damaged")


class NoText(ValueError):
    """A page without text: a scan, or a blank one."""


def _page_text(page: Any) -> str:
    """The page's text: ligatures as letters, without the half characters of broken fonts."""
    import pymupdf

    text: str = page.get_text(flags=pymupdf.TEXTFLAGS_TEXT & ~pymupdf.TEXT_PRESERVE_LIGATURES)
    text = text.encode("utf-8", "ignore").decode().replace("\0", "").strip()
    if not text:
        raise NoText
    return text


def _page_picture(page: Any) -> str:
    data = page.get_pixmap(dpi=DPI).tobytes("png")
    return "data:image/png;base64," + b64encode(data).decode("ascii")
