"""The pages of ``lang/errors``: each example raises its code alone, and the mended one is clean.

``python -m tests.lang.test_pages`` writes what the examples print anew; the diff is the review.
"""

from __future__ import annotations

import os
import re
import tempfile
from difflib import ndiff
from pathlib import Path

import pytest
from msgspec import Struct

import dpipe
from dpipe.lang.codes import CODES
from dpipe.lang.compile import Compiled, compile_program
from dpipe.lang.render import render
from dpipe.runtime.errors import UsageError
from tests.lang.programs import STD, load_std
from tests.server import serving

FOLDER = Path(dpipe.lang.codes.__file__).parent / "errors"
PROGRAM = "page.dpipe"
_BLOCK = re.compile(r"^```(\w+)(?: ([\w.-]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SHOWN = re.compile(r"(?<=^```text\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
_PARSER = re.compile(
    r"\b(?:[LR](?:PAR|SQB|BRACE)|[A-Z]+_STRING|NAME|KEY|ATTR|EQUAL|VBAR|QMARK)\b|\$END"
)
_PYTHON = re.compile(r"NoneType|\btuple\b|\bdict\b|msgspec|Traceback|Struct\b|<class|\bNone\b")


class Page(Struct):
    """What a page shows: the files of the example and of the mended one, and what is printed."""

    text: str
    told: dict[str, bytes]
    clean: dict[str, bytes]

    @property
    def shown(self) -> str:
        found = _SHOWN.search(self.text)
        return found[0].strip("\n") if found else ""


def page(code: str) -> Page:
    text = (FOLDER / f"{code}.md").read_text("utf-8")
    before, _, after = text.partition("\n## Clean\n")
    told = _files(before)
    return Page(text, told, {**told, **_files(after)} if after else {})


def _files(part: str) -> dict[str, bytes]:
    """The files of a part: a block's second word is its name, or how it is encoded."""
    found: dict[str, bytes] = {}
    for language, word, body in _BLOCK.findall(part):
        if language == "text":
            continue
        encoded = word == "latin-1"
        name = PROGRAM if encoded or not word else word
        found[name] = body.encode("latin-1" if encoded else "utf-8")
    return found


def compiled(files: dict[str, bytes]) -> Compiled:
    def load(path: str) -> bytes:
        if path.startswith("<std>"):
            return load_std(path)
        if path not in files:
            raise PermissionError(13, "Permission denied", path)
        return files[path]

    return compile_program(PROGRAM, load, STD)


def findings(code: str, files: dict[str, bytes]) -> tuple[list[str], str]:
    """The codes that a program raises, and how they are printed."""
    if code == "P0005":
        return at_an_endpoint(files)
    if code.startswith("P"):
        return at_start(files)
    found = compiled(files)
    severe = CODES[code].severity == "info"
    told = (*found.diagnostics, *(found.notes if severe else ()))
    return [d.code for d in told], render(told, found.sources).rpartition("\n\n")[0]


def at_start(files: dict[str, bytes]) -> tuple[list[str], str]:
    """What a run of a program says before its first call."""
    assert [d.code for d in compiled(files).diagnostics] == []
    here = Path.cwd()
    with tempfile.TemporaryDirectory(dir=Path(tempfile.gettempdir()).resolve()) as folder:
        os.chdir(folder)
        try:
            for name, data in files.items():
                Path(name).write_bytes(data)
            dpipe.run(PROGRAM)
        except UsageError as error:
            help = f"\n  = help: {error.hint}" if error.hint else ""
            shown = f"error[{error.code}]: {error.message}{help}"
            return [error.code or ""], shown.replace(folder, "/home/you/notes")
        finally:
            os.chdir(here)
    return [], ""


def at_an_endpoint(files: dict[str, bytes]) -> tuple[list[str], str]:
    """The same where a server with a model answers at the address that a page shows."""
    shown = b"http://localhost:8000/v1"
    with serving(models=["qwen3-8b"]) as server:
        url = server.url.encode()
        codes, told = at_start({name: text.replace(shown, url) for name, text in files.items()})
        return codes, told.replace(server.url, shown.decode())


def test_every_code_has_its_page_and_no_other_has() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == CODES.keys()


@pytest.mark.parametrize("code", CODES)
def test_a_page_says_what_is_wrong_and_why(code: str) -> None:
    title, blank, why, *_ = page(code).text.splitlines()
    assert title == f"# {code} {CODES[code].name}"
    assert blank == ""
    assert len(why) > 40


@pytest.mark.parametrize("code", CODES)
def test_the_example_raises_its_code_alone_and_the_mended_one_is_clean(code: str) -> None:
    shown = page(code)
    codes, _ = findings(code, shown.told)
    assert set(codes) == {code}
    assert bool(shown.clean) == (code not in UNMENDED)
    if shown.clean:
        assert findings(code, shown.clean)[0] == []


UNMENDED = ("E0004",)
"""Codes of what no program text mends."""


@pytest.mark.parametrize("code", [code for code in CODES if code[0] in "EW"])
def test_the_mended_example_is_a_near_miss(code: str) -> None:
    """Few lines tell the two apart, so that what is told is told for what differs."""
    shown = page(code)
    if code not in UNMENDED:
        before, after = shown.told[PROGRAM], shown.clean[PROGRAM]
        lines = [text.decode("utf-8", "replace").splitlines() for text in (before, after)]
        differ = [line for line in ndiff(*lines) if line[0] in "+-"]
        others = [name for name in shown.told if shown.told[name] != shown.clean[name]]
        assert len(differ) <= 8
        assert differ or others


@pytest.mark.parametrize("code", CODES)
def test_the_page_shows_what_is_printed(code: str) -> None:
    shown = page(code)
    printed = findings(code, shown.told)[1]
    assert shown.shown == printed, "run `python -m tests.lang.test_pages`"
    assert not _PARSER.search(re.sub(r"`[^`\n]*`|^ *\d+ \|.*", "", printed, flags=re.MULTILINE))
    assert not _PYTHON.search(printed)


def write(code: str) -> None:
    shown = page(code)
    printed = findings(code, shown.told)[1]
    text = _SHOWN.sub(lambda _: f"{printed}\n", shown.text, count=1)
    (FOLDER / f"{code}.md").write_text(text, "utf-8")


if __name__ == "__main__":
    for each in CODES:
        write(each)
