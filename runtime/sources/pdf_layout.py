"""What PyMuPDF's model of page layouts sees in a PDF document. It runs on this machine."""

from __future__ import annotations

from typing import Any


def pages_of(document: Any, at: int | None = None) -> list[dict[str, Any]]:
    """Each page, or one: its Markdown as ``text``, and ``page_boxes`` of what stands where.

    A box has a ``class`` (text, title, picture, caption, table, …), its ``bbox`` in points and
    ``pos``, the part of the text that it is. How deep a heading is hangs on all pages that are
    asked for at once.
    """
    import pymupdf4llm
    from pymupdf4llm.helpers.document_layout import INFO_MESSAGES

    # What it has to say of itself would go to the terminal.
    INFO_MESSAGES.seek(0)
    INFO_MESSAGES.truncate()
    found: list[dict[str, Any]] = pymupdf4llm.to_markdown(
        document,
        pages=None if at is None else [at],
        page_chunks=True,
        use_ocr=False,
        show_progress=False,
    )
    return found
