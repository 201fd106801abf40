"""SPEC.md is true: its blocks are compiled and evaluated, its tables are those of the code.

``python -m tests.test_spec`` writes the parts that are generated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import dpipe
from dpipe.lang import graph
from dpipe.lang.codes import CODES
from dpipe.lang.format import format_text
from dpipe.lang.functions import FUNCTIONS
from dpipe.lang.scan import KEYWORDS, scan
from dpipe.lang.source import Source
from dpipe.lang.stages import ANSWERERS, MODELS, STAGES
from dpipe.lang.types import Record, show
from dpipe.runtime.equality import equal
from dpipe.runtime.errors import NoValue
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.stages import STAGES as RUNNABLE
from dpipe.runtime.testing import run_test
from dpipe.runtime.values import Row
from tests.spec.blocks import (
    Block,
    Program,
    blocks,
    compiled,
    expectations,
    program_of,
    written,
)

ROOT = Path(__file__).parent.parent
SPEC = ROOT / "SPEC.md"
GRAMMAR = ROOT / "lang/grammar.lark"
BUILTINS = ROOT / "stdlib/builtins.dpipe"
TEXT = SPEC.read_text(encoding="utf-8")
BLOCKS = tuple(blocks(SPEC))


def of_kind(*infos: str) -> list[Block]:
    return [block for block in BLOCKS if block.info in infos]


@pytest.mark.parametrize(
    "block", [b for b in of_kind("dpipe") if re.search(r"^test ", b.text, re.MULTILINE)], ids=str
)
def test_the_tests_in_a_block_pass(block: Block) -> None:
    program = compiled(program_of(block).text)
    assert program.graph is not None
    results = [run_test(program.graph, test) for test in program.tests]
    assert [result.failures for result in results if not result.passed] == []


UNUSED = frozenset({"W0201", "W0202", "W0203"})
"""In a part of a program, what its rest would use."""


def page_line(block: Block, program: Program, line: int) -> int:
    """A line of the program as a line of SPEC.md."""
    return block.line + line - 1 - program.text.count("\n", 0, program.begins)


# -- programs, declarations and stages -----------------------------------------------------------


@pytest.mark.parametrize("block", of_kind("dpipe", "dpipe run"), ids=str)
def test_a_block_has_the_findings_that_its_comments_say_and_no_others(block: Block) -> None:
    program = program_of(block)
    result = compiled(program.text, block.files)
    source = Source("", program.text)
    found = {
        (page_line(block, program, source.position(d.span.start).line), d.severity, d.code)
        for d in result.diagnostics
        if not (program.begins and d.code in UNUSED)
    }
    wanted = {
        (page_line(block, program, one.line), one.kind, code)
        for one in expectations(source)
        if one.kind != "row"
        for code in re.findall(r"\[(\w+)\]", one.text)
    }
    assert found == wanted


@pytest.mark.parametrize("block", of_kind("dpipe"), ids=str)
def test_a_row_in_a_comment_is_the_row_after_the_stage_before_it(block: Block) -> None:
    program = program_of(block)
    rows = compiled(program.text, block.files).rows
    for one in expectations(Source("", program.text)):
        if one.kind == "row":
            stage = max((r for r in rows if r.span.end <= one.behind), key=lambda r: r.span.end)
            assert show(stage.row) == one.text, f"line {page_line(block, program, one.line)}"


def layouts() -> list[tuple[Block, Block]]:
    """Each program as somebody may write it, and as it is laid out."""
    return list(zip(of_kind("dpipe unformatted"), of_kind("dpipe formatted"), strict=True))


@pytest.mark.parametrize(("before", "after"), layouts(), ids=str)
def test_a_program_gets_the_layout_that_stands_below_it(before: Block, after: Block) -> None:
    start = "dpipe 1\n\n"
    assert format_text(Source("", start + before.text)) == start + after.text
    assert format_text(Source("", start + after.text)) == start + after.text


# -- expressions ---------------------------------------------------------------------------------

ENVIRON = {"CITY": "Ghent"}
_LINE = re.compile(r"(?P<kind>type|no value|error|warning): (?P<text>.*)")


class Example(NamedTuple):
    """``expression  # result`` on one line; an empty result only says that there is one."""

    block: Block
    line: int
    expression: str
    result: str

    def __str__(self) -> str:
        return f"line {self.line}"

    @property
    def expects(self) -> tuple[str, str]:
        """``type``, ``no value``, ``error``, ``warning`` or ``value``, and what."""
        found = _LINE.fullmatch(self.result)
        return (found["kind"], found["text"]) if found else ("value", self.result)


def examples() -> Iterator[Example]:
    for block in of_kind("dpipe expressions"):
        for number, line in enumerate(block.text.splitlines(), block.line):
            comments = scan(Source("", line)).comments
            start = comments[-1].start if comments else len(line)
            if line[:start].strip():
                yield Example(block, number, line[:start].strip(), line[start:].lstrip("# "))


EXAMPLES = tuple(examples())


def stage_of(example: Example) -> str:
    """A program that sets `.x` to the expression, and `.wanted` to what it should be."""
    given = example.block.given or "source rows: {} = rows([{}])\n"
    kind, text = example.expects
    wanted = f", wanted: {text}" if kind == "value" and text else ""
    return f"dpipe 1\n{given}\nflow example = rows | set(x: {example.expression}{wanted})\n"


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_expression_gives_what_its_comment_says(example: Example) -> None:
    kind, text = example.expects
    program = stage_of(example) + 'sink out = example | jsonl("out.jsonl")\n'
    result = compiled(program)
    codes = [d.code for d in result.diagnostics if not d.code.startswith("W02")]
    assert codes == (re.findall(r"\[(\w+)\]", text) if kind in ("error", "warning") else [])
    if kind == "error":
        return
    assert result.graph is not None
    if kind == "type":
        assert show(type_of_x(result.graph)) == text
    elif kind == "no value":
        with pytest.raises(NoValue) as raised:
            evaluated(result.graph)
        assert str(raised.value) == text
    else:
        values = evaluated(result.graph)
        assert equal(values["x"], values.get("wanted", values["x"])), values


def stage(program: graph.Graph) -> graph.StageNode:
    [node] = [node for node in program.nodes if isinstance(node, graph.StageNode)]
    return node


def type_of_x(program: graph.Graph) -> Any:
    row = stage(program).row
    assert isinstance(row, Record)
    return row.get("x")


def evaluated(program: graph.Graph) -> dict[str, Any]:
    expressions = Expressions(program.defs, {}, ENVIRON)
    source = program.nodes[0]
    assert isinstance(source, graph.SourceNode)
    [values] = expressions.constant(source.args["records"])
    row = Row(values, b"spec", "")
    fields = stage(program).args["fields"]
    assert isinstance(fields, graph.Fields)
    return {name: expressions.over(expr, b"")(row) for name, expr in fields.entries}


# -- whole runs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("block", of_kind("dpipe run"), ids=str)
def test_a_run_writes_what_its_comments_say(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {**block.files, "spec.dpipe": block.text}.items():
        Path(name).write_text(text, encoding="utf-8")
    dpipe.run("spec.dpipe", progress="none", allow_python=True)
    wanted = written(block.text)
    assert wanted
    for name, records in wanted.items():
        text = Path(name).read_text(encoding="utf-8")
        found = (
            [json.loads(line) for line in text.splitlines()]
            if name.endswith("l")
            else [json.loads(text)]
        )
        assert [holds(*pair) for pair in zip_longest(found, records)] == [True] * len(found), found


def holds(found: Any, wanted: Any) -> bool:
    """Whether a record has all that the comment names."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return all(name in found and holds(found[name], wanted[name]) for name in wanted)
    return bool(found == wanted)


# -- what is there is told -----------------------------------------------------------------------


def section(title: str) -> str:
    """The text under a heading, up to the next one of its level or above."""
    parts = re.split(r"^(#+) ([^\n]*)$", TEXT, flags=re.MULTILINE)
    levels, titles, texts = parts[1::3], parts[2::3], parts[3::3]
    at = titles.index(title)
    until = at + 1
    while until < len(titles) and len(levels[until]) > len(levels[at]):
        until += 1
    return "\n".join(texts[at:until])


def is_planned(name: str) -> bool:
    """Whether the text says that this is not there yet."""
    return f"`{name}`" in section("Not yet in this release")


def is_planned_of(stage: str, param: str) -> bool:
    later = section("Not yet in this release")
    return re.search(rf"`{stage}` with [^,;]*`{param}:`", later) is not None


FREE = frozenset({"fields", "labels", "names", "constants", "figures"})
"""Kinds of parameters whose labels are the program's own."""


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_is_told_with_its_parameters_or_planned(name: str) -> None:
    if name not in {*RUNNABLE, "ask"} and is_planned(name):
        return
    told = section(f"`{name}`")
    for param in STAGES[name].params:
        if not param.positional and param.kind not in FREE:
            assert f"{param.name}:" in told or is_planned_of(name, param.name), param.name
        for method in param.methods:
            assert f"{method.name}(" in told


def test_every_function_is_told_and_shown() -> None:
    text = section("Functions")
    shown = " ".join(example.expression for example in EXAMPLES)
    for name in [*FUNCTIONS, "zip"]:
        assert re.search(rf"`{name}\(", text), name
        assert re.search(rf"\b{name}\(", shown), name


def test_every_answerer_is_told_with_its_parameters() -> None:
    text = section("Who answers")
    for answerer in ANSWERERS.values():
        [row] = [line for line in text.splitlines() if line.startswith(f"| `{answerer.name}(")]
        for param in answerer.params:
            assert param.positional or f"{param.name}:" in row, (answerer.name, param.name)


def test_every_option_of_a_model_is_told() -> None:
    text = section("`model`")
    for kind, params in MODELS.items():
        if is_planned(kind):
            continue
        assert f"{kind}(" in text
        for param in params:
            assert f"`{param.name}:`" in text or param.positional, param.name


@pytest.mark.parametrize(
    ("kind", "title"),
    [("source", "Sources"), ("sink", "Sinks"), ("metric", "Reports")],
)
def test_every_reader_writer_and_aggregate_is_told(kind: str, title: str) -> None:
    text = section(title)
    for name in re.findall(rf"^extern {kind} (\w+)\(", BUILTINS.read_text(), re.MULTILINE):
        assert f"`{name}(" in text or is_planned(name), name


def test_every_keyword_is_told() -> None:
    [told] = re.findall(r"The keywords are (.*?)\. ", TEXT, re.DOTALL)
    assert told.replace("`", "").split() == sorted(KEYWORDS)


def test_labels_are_unique_and_references_lead_to_them() -> None:
    text = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    labels = re.findall(r"\[([a-z]+\.[a-z][a-z0-9-]*)\]", text)
    assert len(labels) > 80
    assert sorted({label for label in labels if labels.count(label) > 1}) == []
    groups = "|".join({label.split(".")[0] for label in labels} - {"std"})
    references = set(re.findall(rf"`((?:{groups})\.[a-z-]+)`", text))
    assert references - set(labels) == set()


# -- what is generated ---------------------------------------------------------------------------


def grammar() -> str:
    """The grammar without comments, blank lines in a row, and what only recovery needs."""
    text = re.sub(r"^//.*\n", "", GRAMMAR.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = re.sub(r"^%declare ERROR\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\n? *\| ERROR -> \w+", "", text)
    return "```lark\n" + re.sub(r"\n{3,}", "\n\n", text).strip() + "\n```"


def code_table() -> str:
    rows = [f"| {code} | {of.name} | {of.severity} | {of.summary} |" for code, of in CODES.items()]
    return "\n".join(["| code | name | severity | what it is about |", "|---|---|---|---|", *rows])


GENERATED = {"grammar": grammar, "codes": code_table}


def with_generated(text: str) -> str:
    for name, made in GENERATED.items():
        text = with_part(text, f"<!-- generated: {name} -->", made())
    return text


def with_part(text: str, begin: str, part: str) -> str:
    before, rest = text.split(begin)
    _, end, after = rest.partition("<!-- end -->")
    return f"{before}{begin}\n\n{part}\n\n{end}{after}"


def test_what_is_generated_is_up_to_date() -> None:
    assert with_generated(TEXT) == TEXT, "run `python -m tests.test_spec`"


if __name__ == "__main__":
    SPEC.write_text(with_generated(TEXT), encoding="utf-8")
