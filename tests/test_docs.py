"""What README and docs show is run: programs are checked, commands are compared."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest
import trio
from msgspec import Struct

import dpipe
from dpipe.cli.main import main
from dpipe.cli.starter import FILES
from dpipe.lang import graph, stages
from dpipe.lang.format import format_text
from dpipe.lang.source import Source
from dpipe.lang.types import OPEN_ROW
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.sources.base import Context, open_source
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.testing import run_test
from dpipe.runtime.values import Row

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "SPEC.md", *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^```(\w+)(?: ([\w.]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(Struct):
    """``name`` is that of a file beside the programs that follow."""

    language: str
    name: str
    text: str


class Shown(Struct):
    """A program of a page, with the files beside it that the page has shown before."""

    text: str
    files: dict[str, str]

    def write(self, folder: Path, name: str) -> Path:
        for beside, text in self.files.items():
            (folder / beside).write_text(text, encoding="utf-8")
        (folder / name).write_text(self.text, encoding="utf-8")
        return folder / name


def blocks(page: Path) -> Iterator[Block]:
    for found in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield Block(found[1], found[2] or "", found[3])


def programs(page: Path) -> Iterator[Shown]:
    """The programs of a page; a block that does not begin one goes on with the one before it."""
    program, files = "", {}
    for block in blocks(page):
        if block.language in ("dpipe", "python") and block.name:
            files[block.name] = block.text
        elif block.language == "dpipe":
            begins = block.text.startswith("dpipe 1")
            program = block.text if begins else f"{program}\n{block.text}"
            yield Shown(program, dict(files))


def hand_written() -> list[Path]:
    return [page for page in PAGES if page.name != "SPEC.md" and any(programs(page))]


TUTORIAL = tuple(programs(ROOT / "docs/tutorial.md"))


@pytest.mark.parametrize("shown", TUTORIAL, ids=[str(n) for n in range(len(TUTORIAL))])
def test_programs_in_the_tutorial_run_and_write_rows(shown: Shown, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/tides.md").write_text(FILES["data/tides.md"])
    file = shown.write(tmp_path, "tides.dpipe")
    result = dpipe.run(file, progress="none")
    assert (result.exit_code, dict(result.rejects)) == (0, {})
    assert [output.path for output in result.outputs if output.rows == 0] == []

    compiled = dpipe.compile(file)
    assert compiled.graph is not None
    failures = [run_test(compiled.graph, test).failures for test in compiled.tests]
    assert failures == [()] * len(compiled.tests)


JUDGED = next(shown for shown in TUTORIAL if "poll(" in shown.text)


def test_the_tutorial_comes_to_a_judged_split_dataset_with_a_test() -> None:
    for part in ("chunk(", "unnest(", "poll(", "where(", "dedup(", "split(", "report(", "def "):
        assert part in JUDGED.text
    assert any("test " in shown.text for shown in TUTORIAL)
    assert any('import "./models.dpipe"' in shown.text for shown in TUTORIAL)


def test_what_check_says_in_the_readme_is_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [console] = re.findall(r"^  ```console\n(.*?)^  ```$", text, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    program = next(programs(ROOT / "README.md")).text.replace("len(.answer)", "len(.answr)")
    Path("qa.dpipe").write_text(program)
    main(["check", "qa.dpipe"])
    assert f"$ dpipe check qa.dpipe\n{capsys.readouterr().out}" == dedent(console)


def test_what_check_says_in_the_tutorial_is_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [b.text for b in blocks(ROOT / "docs/tutorial.md") if "$ dpipe check" in b.text]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    pieces, asked = TUTORIAL[1].text, TUTORIAL[2].text.replace("keep(.question", "keep(.qestion")
    for text, console in zip((pieces, asked), told, strict=True):
        Path("tides.dpipe").write_text(text)
        command = console.partition("\n")[0].removeprefix("$ dpipe ")
        main(command.split())
        assert f"$ dpipe {command}\n{capsys.readouterr().out}" == console


@pytest.mark.parametrize("page", hand_written(), ids=lambda page: page.name)
def test_programs_in_the_docs_check(page: Path, tmp_path: Path) -> None:
    for number, shown in enumerate(programs(page)):
        found = dpipe.check(shown.write(tmp_path, f"block{number}.dpipe"))
        assert str(found).startswith("0 errors, 0 warnings in "), shown.text


@pytest.mark.parametrize("page", hand_written(), ids=lambda page: page.name)
def test_tests_in_the_docs_pass(page: Path, tmp_path: Path) -> None:
    for number, shown in enumerate(programs(page)):
        compiled = dpipe.compile(shown.write(tmp_path, f"block{number}.dpipe"))
        assert compiled.graph is not None
        failures = [run_test(compiled.graph, test).failures for test in compiled.tests]
        assert failures == [()] * len(compiled.tests)


def test_the_output_in_the_readme_is_that_of_its_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = list(blocks(ROOT / "README.md"))
    program, console = (
        next(block.text for block in readme if block.language == language)
        for language in ("dpipe", "console")
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("LLM_URL", raising=False)
    Path("qa.dpipe").write_text(program)
    Path("notes").mkdir()
    Path("notes/tides.md").write_text(FILES["data/tides.md"])

    assert main(["run", "qa.dpipe", "--progress", "none"]) == 0
    shown = f"$ dpipe run qa.dpipe\n{capsys.readouterr().out}"
    assert timeless(shown) == timeless(console)


def test_the_output_in_the_tutorial_is_that_of_its_judged_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [console] = [b.text for b in blocks(ROOT / "docs/tutorial.md") if "done in" in b.text]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    Path("tides.dpipe").write_text(JUDGED.text)
    Path("data").mkdir()
    Path("data/tides.md").write_text(FILES["data/tides.md"])

    assert main(["run", "tides.dpipe", "--progress", "none"]) == 0
    shown = f"$ dpipe run tides.dpipe\n{capsys.readouterr().out}"
    assert timeless(shown) == timeless(console)


def test_what_the_how_to_says_of_rows_is_what_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = list(blocks(ROOT / "docs/how-to/why-a-row.md"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name, language in (("cities.dpipe", "dpipe"), ("cities.jsonl", "json")):
        Path(name).write_text(next(each.text for each in page if each.language == language))
    assert main(["run", "cities.dpipe", "--progress", "none"]) == 0
    shown = [each.text for each in page if each.language == "console"]
    assert len(shown) == 2
    for console in shown:
        command = console.partition("\n")[0]
        capsys.readouterr()
        assert main(command.removeprefix("$ dpipe ").split()) == 0
        assert timeless(f"{command}\n{capsys.readouterr().out}") == timeless(console)


def test_the_python_of_the_how_to_runs_and_its_tests_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ROOT / "docs/how-to/python-of-your-own.md"
    [shown] = programs(page)
    file = shown.write(tmp_path, "poem.dpipe")
    (tmp_path / "poem.txt").write_text("roses are red\n\nviolets are blue\n")
    result = dpipe.run(file, progress="none", allow_python=True)
    assert result.exit_code == 0
    assert (tmp_path / "out/found.txt").read_text() == "roses are red\nviolets are blue\n"
    assert "violets" in (tmp_path / "out/figures.json").read_text()

    files = {block.name: block.text for block in blocks(page)}
    tools = module_of(files["tools.py"])
    monkeypatch.setitem(sys.modules, "tools", tools)
    tests = vars(module_of(files["test_tools.py"]))
    for name in [each for each in tests if each.startswith("test_")]:
        tests[name](*[tmp_path] * tests[name].__code__.co_argcount)


def timeless(text: str) -> str:
    text = re.sub(r"\d{8}-\d{6}-\w{4}", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    return re.sub(r"in \d.*s$", "in a moment", text, flags=re.MULTILINE)


def test_programs_in_the_docs_are_in_the_one_layout() -> None:
    for page in hand_written():
        for block in blocks(page):
            if block.language == "dpipe":
                edition = "" if block.text.startswith("dpipe 1") else "dpipe 1\n\n"
                text = edition + block.text
                assert format_text(Source(page.name, text)) == text


def code_in(page: str) -> list[str]:
    return [block.text for block in blocks(ROOT / page) if block.language == "python"]


def module_of(code: str) -> ModuleType:
    module = ModuleType("shown")
    exec(code, module.__dict__)  # noqa: S102
    return module


def test_the_source_of_the_how_to_works(tmp_path: Path) -> None:
    module = module_of(*code_in("docs/how-to/add-a-source.md"))
    (tmp_path / "a.txt").write_text("one\n\ntwo\n")

    async def rows() -> list[dict[str, object]]:
        context = Context("notes", tmp_path, tmp_path)
        source = open_source(module.read, {"path": "*.txt"}, context, None)
        return [row.values async for batch in source for row in batch]

    assert trio.run(rows) == [
        {"path": "a.txt", "number": 1, "text": "one"},
        {"path": "a.txt", "number": 3, "text": "two"},
    ]


def test_the_stage_of_the_how_to_works() -> None:
    declared, code = code_in("docs/how-to/add-a-stage.md")
    stage = eval(declared, vars(stages))  # noqa: S307
    assert stage.name == "nonblank"

    place = graph.Place("p.dpipe", 1, 1)
    node = graph.StageNode("f", stage.name, 0, {"text": graph.Field("t")}, OPEN_ROW, place)
    context = StageContext("f: nonblank", Expressions({}, {}, {}), b"")
    step = module_of(code).build(node, context)
    rows = [Row({"t": text}, text.encode(), "here") for text in ("a", " ", "b")]
    assert [row.values["t"] for row in step.feed(rows)] == ["a", "b"]
    assert (step.tally.entered, dict(step.tally.reasons)) == (3, {"filtered": 1})
