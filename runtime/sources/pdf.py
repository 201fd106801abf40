"""PDF documents: their text, or their pages as pictures.

PyMuPDF is imported in the worker thread that reads the first document, since that takes a
second or two. It may be used by one thread at a time.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from dpipe.runtime.paths import display, find_inputs
from dpipe.runtime.sources.base import Context, Read, Reading, Record, Unreadable, batched
from dpipe.runtime.sources.files import reason
from dpipe.runtime.sources.pdf_ocr import NoText, text_of

SUFFIXES = (".pdf",)
DPI = 150
one_at_a_time = Lock()


def text(
    path: str | list[str], as_: str = "text", ocr: str = "eng", *, context: Context
) -> Reading:
    """A row ``{ path, text }`` a document, its pages a blank line apart.

    A page that is a picture is read in the languages of ``ocr``. One without text is told as
    unreadable and the rest of its document kept; so is a whole document without text.
    """
    return each_document(path, context, partial(_text, languages=ocr))


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


def _text(document: Any, name: str, languages: str) -> Iterator[Read]:
    look = partial(_page_text, languages=languages)
    yield from joined(name, [of_page(document, at, name, look) for at in range(len(document))])


def joined(name: str, pages: Sequence[str | Unreadable]) -> Iterator[Read]:
    """One row of all pages that hold text, then the others; or why there is none at all."""
    silent = [page for page in pages if isinstance(page, Unreadable)]
    if len(silent) == len(pages):
        whys = {page.message for page in silent}
        why = f": {whys.pop()}" if len(whys) == 1 else ""
        message = f"none of its pages ({len(silent)}) holds text that can be read{why}"
        yield Unreadable(name, message)
        return
    text = "\n\n".join(page for page in pages if isinstance(page, str))
    yield Record({"path": name, "text": text}, name, name)
    yield from silent


def _pages(document: Any, name: str) -> Iterator[Read]:
    for at in range(document.page_count):
        url = of_page(document, at, name, _page_picture)
        if isinstance(url, Unreadable):
            yield url
            continue
        place = f"{name} page {at + 1}"
        yield Record({"path": name, "number": at + 1, "page": url}, place, place)


def of_page(document: Any, at: int, name: str, look: Callable[[Any], str]) -> str | Unreadable:
    """What ``look`` sees on one page, or why it sees nothing."""
    place = f"{name} page {at + 1}"
    try:
        with one_at_a_time:
            return look(document[at])
    except NoText as why:
        return Unreadable(place, str(why))
    except Exception:  # of whatever kind MuPDF makes of a damaged page
        return Unreadable(place, "the page is damaged")


def _page_text(page: Any, languages: str) -> str:
    """The page's text: ligatures as letters, without the half characters of broken fonts."""
    import pymupdf

    text: str = page.get_text(flags=pymupdf.TEXTFLAGS_TEXT & ~pymupdf.TEXT_PRESERVE_LIGATURES)
    text = text.encode("utf-8", "ignore").decode().replace("\0", "").strip()
    return text or text_of(page, languages)


def _page_picture(page: Any) -> str:
    data = page.get_pixmap(dpi=DPI).tobytes("png")
    return "data:image/png;base64," + b64encode(data).decode("ascii")
