"""The text of pages that are pictures of text, by Tesseract where it is installed.

MuPDF holds Tesseract itself; what has to be installed is what it knows of languages.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

_DPI = 300
"""At which a page is looked at: what Tesseract's models were made for."""


class NoText(ValueError):
    """A page without text that can be had; the message says why."""


def text_of(page: Any, languages: str) -> str:
    """What stands on a page of pictures; raises ``NoText``.

    ``languages`` are Tesseract's names, as ``eng+chi_sim``; none at all reads no picture.
    """
    if not (page.get_image_info() or page.get_drawings()):
        raise NoText("the page holds no text")
    if not languages:
        raise NoText("the page is a picture, and `ocr:` is off")
    whole = page.get_textpage_ocr(
        language=languages, dpi=_DPI, full=True, tessdata=str(_data_for(languages))
    )
    text: str = page.get_text(textpage=whole).strip()
    if not text:
        raise NoText("the page is a picture, in which no text was found")
    return text


def _data_for(languages: str) -> Path:
    """The folder that holds all of these languages."""
    folder = tessdata()
    if folder is None:
        raise NoText("the page is a picture: it can be read where Tesseract is installed")
    for language in languages.split("+"):
        if not (folder / f"{language}.traineddata").is_file():
            raise NoText(f"the page is a picture, and Tesseract has no `{language}` here")
    return folder


@cache
def tessdata() -> Path | None:
    """Where Tesseract's languages are, by ``TESSDATA_PREFIX`` or its installation."""
    import pymupdf

    look: Any = pymupdf.get_tessdata
    try:
        found = look()
    except Exception:  # of whatever kind looking through the system makes
        return None
    return Path(found) if found else None
