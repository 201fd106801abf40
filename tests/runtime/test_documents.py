"""What the readers of documents and pictures give, of good files and of bad ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from docx import Document

from dpipe.runtime.sources import docx, html, images, pdf, pdf_figures, pdf_markdown, pdf_ocr
from tests.runtime.items import read, told

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c63f8cfc0f01f000500010189a5d3"
    "0f0000000049454e44ae426082"
)

# -- html ----------------------------------------------------------------------------------------

PAGE = """<!doctype html><html><head><title>The  title</title><style>p { }</style></head>
<body><script>alert(1)</script><h2>Part</h2><p>a_b * <b>bold</b> <a href="x">link</a>
<p>é &amp; &lt;i>
<ul><li>one<li>two</ul><table><tr><th>A<th>B<tr><td>1|2<td>3</table><pre>if x:
    y</pre><!-- no -->
"""
MARKDOWN = """# The title

## Part

a_b * bold link

é & <i>

- one
- two

| A | B |
| --- | --- |
| 1\\|2 | 3 |

```
if x:
    y
```"""


def page(folder: Path, data: str | bytes) -> list[Any]:
    (folder / "a.html").write_bytes(data if isinstance(data, bytes) else data.encode())
    return told(read(html.read, folder, path="a.html"))


def test_a_page_is_its_text_with_the_title_as_heading(tmp_path: Path) -> None:
    assert page(tmp_path, PAGE) == [{"path": "a.html", "text": MARKDOWN}]


def test_a_title_that_the_page_says_itself_is_told_once(tmp_path: Path) -> None:
    assert page(tmp_path, "<title>T</title><h1>T</h1>text")[0]["text"] == "# T\n\ntext"


@pytest.mark.parametrize(
    ("declared", "encoding"), [("big5", "big5"), ("Shift_JIS", "shift-jis"), ("gb2312", "gb18030")]
)
def test_a_page_is_read_in_the_encoding_that_it_declares(
    tmp_path: Path, declared: str, encoding: str
) -> None:
    data = f"<meta charset={declared}><p>中文 日本</p>".encode(encoding)
    assert page(tmp_path, data) == [{"path": "a.html", "text": "中文 日本"}]


def test_a_page_of_utf_8_may_declare_what_it_likes(tmp_path: Path) -> None:
    assert page(tmp_path, "<meta charset=latin-1><p>déjà")[0]["text"] == "déjà"
    assert page(tmp_path, "<meta charset=nonsense><p>déjà".encode("cp1252"))[0]["text"] == "déjà"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "holds no text"),
        (b"<title>only</title><script>x</script>", "holds no text"),
        (PNG, "not a text: it holds bytes of no known encoding"),
        (b"<div>" * 3000 + b"x", "nested too deeply"),
    ],
)
def test_a_page_without_text_is_a_reject(tmp_path: Path, data: bytes, reason: str) -> None:
    assert page(tmp_path, data) == [f"a.html: {reason}"]


# -- docx ----------------------------------------------------------------------------------------


def letter(path: Path) -> None:
    document = Document()
    document.add_heading("Title", 0)
    document.add_heading("Part", 2)
    document.add_paragraph("One é.")
    document.add_paragraph("first", style="List Bullet")
    document.add_paragraph("second", style="List Bullet")
    table = document.add_table(rows=2, cols=3)
    for at, text in enumerate(("a", "b|c", "d", "1\n2", "", "3")):
        table.cell(at // 3, at % 3).text = text
    table.cell(1, 0).merge(table.cell(1, 1))
    document.add_paragraph("after")
    document.save(str(path))


def test_a_word_document_is_markdown_in_its_order(tmp_path: Path) -> None:
    letter(tmp_path / "a.docx")
    (row,) = told(read(docx.read, tmp_path, path="."))
    assert row == {
        "path": "a.docx",
        "text": "# Title\n\n## Part\n\nOne é.\n\n- first\n- second\n\n"
        "| a | b\\|c | d |\n| --- | --- | --- |\n| 1 2 |  | 3 |\n\nafter",
    }


def test_a_word_document_that_cannot_be_read_is_a_reject(tmp_path: Path) -> None:
    letter(tmp_path / "good.docx")
    good = (tmp_path / "good.docx").read_bytes()
    Document().save(str(tmp_path / "blank.docx"))
    bad = {
        "cut": good[: len(good) // 2],
        "empty": b"",
        "old": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
        "text": b"hello",
    }
    for name, data in bad.items():
        (tmp_path / f"{name}.docx").write_bytes(data)
    assert told(read(docx.read, tmp_path, path=[f"{name}.docx" for name in [*bad, "blank"]])) == [
        "cut.docx: not a Word document, or damaged",
        "empty.docx: the file is empty",
        "old.docx: encrypted, or an old `.doc`: save it as `.docx` without a password",
        "text.docx: not a Word document, or damaged",
        "blank.docx: holds no text",
    ]


# -- images --------------------------------------------------------------------------------------

JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xda\x00\x02xyz\xff\xd9"
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
WEBP = b"RIFF\x0c\x00\x00\x00WEBPVP8 \x00\x00\x00\x00"


def test_a_picture_is_a_data_url_by_what_it_is(tmp_path: Path) -> None:
    pictures = {"a.png": PNG, "b.jpg": JPEG, "c.gif": GIF, "d.webp": WEBP, "e.png": JPEG}
    for name, data in pictures.items():
        (tmp_path / name).write_bytes(data)
    rows = told(read(images.read, tmp_path, path="."))
    assert [row["path"] for row in rows] == list(pictures)
    kinds = [row["image"].partition(";")[0] for row in rows]
    assert kinds == [f"data:image/{kind}" for kind in ("png", "jpeg", "gif", "webp", "jpeg")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"hello", "not a picture in PNG, JPEG, GIF or WebP"),
        (PNG[:-20], "damaged: the PNG is cut off"),
        (JPEG[:-3], "damaged: the JPEG is cut off"),
        (JPEG[:-7] + b"\xff\xd9" + JPEG[4:-2], "damaged: the JPEG is cut off"),
        (GIF[:-4], "damaged: the GIF is cut off"),
        (WEBP[:-1], "damaged: the WEBP is cut off"),
    ],
)
def test_what_is_no_whole_picture_is_a_reject(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "a.png").write_bytes(data)
    assert told(read(images.read, tmp_path, path="a.png")) == [f"a.png: {reason}"]


# -- pdf -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good (headings, a table, a picture; a blank page), plain, blank and false PDFs."""
    pymupdf: Any = pytest.importorskip("pymupdf")
    folder = tmp_path_factory.mktemp("papers")
    with pymupdf.open() as good, pymupdf.open() as plain, pymupdf.open() as blank:
        draw(pymupdf, good.new_page())
        good.new_page()
        plain.new_page().insert_text((72, 72), "words and nothing else")
        blank.new_page()
        good.save(folder / "good.pdf")
        plain.save(folder / "plain.pdf")
        blank.save(folder / "blank.pdf")
    (folder / "false.pdf").write_text("hello")
    return folder


def draw(pymupdf: Any, page: Any) -> None:
    page.insert_text((72, 72), "A Big Title", fontsize=24)
    body = "Some body text that goes over the line and more. " * 6
    page.insert_textbox((72, 100, 500, 200), body, fontsize=11)
    page.insert_text((72, 230), "Section one", fontsize=16)
    for line in range(4):
        page.draw_line((72, 260 + 20 * line), (372, 260 + 20 * line))
    for line in range(3):
        page.draw_line((72 + 150 * line, 260), (72 + 150 * line, 320))
        for column in range(2):
            page.insert_text((76 + 150 * column, 274 + 20 * line), f"cell {line}{column}")
    picture = pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 200, 150))
    picture.set_rect(picture.irect, (200, 30, 30))
    page.insert_image((72, 400, 272, 550), pixmap=picture)
    page.insert_text((72, 565), "Figure 1: a red box")


def test_a_pdf_is_markdown_with_headings_and_tables(papers: Path, capfd: Any) -> None:
    document, silent = told(read(pdf_markdown.read, papers, path="good.pdf"))
    text = document["text"]
    assert text.startswith("# A Big Title\n\nSome body text")
    assert "\n\n## Section one\n\n" in text
    assert "|cell 00|cell 01|\n|---|---|\n|cell 10|cell 11|\n|cell 20|cell 21|" in text
    assert text.endswith("Figure 1: a red box")
    assert silent == "good.pdf page 2: the page holds no text"
    assert capfd.readouterr() == ("", "")


def test_a_figure_is_a_picture_with_the_text_around_it(papers: Path) -> None:
    (figure,) = told(read(pdf_figures.read, papers, path="good.pdf"))
    assert (figure["path"], figure["number"]) == ("good.pdf", 1)
    assert figure["text"] == "Figure 1: a red box"
    assert figure["figure"].startswith("data:image/png;base64,iVBOR")


def test_a_pdf_without_figures_or_text_is_a_reject(papers: Path) -> None:
    names = ["plain.pdf", "false.pdf"]
    assert told(read(pdf_figures.read, papers, path=names)) == [
        "plain.pdf: holds no figures",
        "false.pdf: not a PDF, or damaged beyond repair",
    ]
    assert told(read(pdf_markdown.read, papers, path=["blank.pdf", "false.pdf"])) == [
        "blank.pdf: none of its pages (1) holds text that can be read: the page holds no text",
        "false.pdf: not a PDF, or damaged beyond repair",
    ]


# -- pictures of text ----------------------------------------------------------------------------

SCANNED = "The quick brown fox jumps over the lazy dog."
READERS = [pdf.text, pdf_markdown.read]


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scan (a page of words, one that is a picture of words), and picture, without any text."""
    pymupdf: Any = pytest.importorskip("pymupdf")
    folder = tmp_path_factory.mktemp("scans")
    with pymupdf.open() as words, pymupdf.open() as scan, pymupdf.open() as picture:
        words.new_page().insert_text((72, 72), SCANNED, fontsize=20)
        seen = words[0].get_pixmap(dpi=150)
        scan.new_page().insert_text((72, 72), "words before the scan")
        for document in (scan, picture):
            page = document.new_page()
            page.insert_image(page.rect, pixmap=seen)
        scan.save(folder / "scan.pdf")
        picture.save(folder / "picture.pdf")
    return folder


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.skipif(pdf_ocr.tessdata() is None, reason="Tesseract is not installed")
def test_a_page_that_is_a_picture_is_read_by_tesseract(scans: Path, reader: Any) -> None:
    (document,) = told(read(reader, scans, path="scan.pdf"))
    assert document["text"] == f"words before the scan\n\n{SCANNED}"


@pytest.mark.parametrize("reader", READERS)
def test_a_page_that_would_need_tesseract_is_a_reject_without_it(
    scans: Path, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf_ocr, "tessdata", lambda: None)
    why = "the page is a picture: it can be read where Tesseract is installed"
    assert told(read(reader, scans, path=["scan.pdf", "picture.pdf"])) == [
        {"path": "scan.pdf", "text": "words before the scan"},
        f"scan.pdf page 2: {why}",
        f"picture.pdf: none of its pages (1) holds text that can be read: {why}",
    ]


@pytest.mark.parametrize(
    ("languages", "why"),
    [
        ("", "the page is a picture, and `ocr:` is off"),
        ("eng+xyz", "the page is a picture, and Tesseract has no `xyz` here"),
    ],
)
def test_a_picture_that_may_not_or_cannot_be_read_says_why(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, languages: str, why: str
) -> None:
    (tmp_path / "eng.traineddata").touch()
    monkeypatch.setattr(pdf_ocr, "tessdata", lambda: tmp_path)
    (_, reject) = told(read(pdf.text, scans, path="scan.pdf", ocr=languages))
    assert reject == f"scan.pdf page 2: {why}"
