"""Writes docs/reference from the tables of the language; ``--check`` tells whether it is current.

A page a stage and a bundled module, and one each for answerers, models, functions, readers, writers
and aggregates.
The examples are programs of docs/reference/examples, shown with the row after each stage and with
what a run of them writes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import dpipe
from dpipe.lang.functions import FUNCTIONS
from dpipe.lang.manual import Extern, externs, in_signature, label, result, signature, takes
from dpipe.lang.signatures import Method, Param
from dpipe.lang.stages import ANSWERERS, MODELS, STAGES, Answerer, Stage
from dpipe.lang.types import show
from dpipe.lang.words import WORDS
from scripts import modules

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs/reference"
EXAMPLES = FOLDER / "examples"
BUILTINS = ROOT / "stdlib/builtins.dpipe"
MODULES = {path.stem: path for path in sorted(BUILTINS.parent.glob("*.dpipe"))}
MODULES.pop(BUILTINS.stem)
WIDTH = 90  # of a signature on one line

# -- arguments -----------------------------------------------------------------------------------


def shown(name: str, params: Iterable[Param]) -> str:
    """The signature as a block, an argument a line where it is long."""
    text = signature(name, params)
    if len(text) > WIDTH:
        lines = "".join(f"  {in_signature(param)},\n" for param in params)
        text = f"{name}(\n{lines})"
    return f"```text\n{text}\n```\n"


def arguments(params: Iterable[Param]) -> Iterator[str]:
    """A table with a line for each parameter."""
    yield "| argument | takes | needed | is (where it is left out) |"
    yield "|---|---|---|---|"
    for param in params:
        cells = (f"`{label(param)}`", takes(param), "yes" if param.required else "", param.doc)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def ways(params: Iterable[Param], heading: str = "##") -> Iterator[str]:
    """The methods that arguments name, each with its own arguments."""
    for param in params:
        if param.methods:
            yield f"\n{heading} Ways of `{param.name}:`\n"
            yield from (_way(method) for method in param.methods)


def _way(method: Method) -> str:
    options = "; ".join(f"`{p.name}`: {takes(p)}, {p.doc}" for p in method.params)
    return f"- `{signature(method.name, method.params)}`: {method.doc}" + (
        f". {options}." if options else "."
    )


# -- examples ------------------------------------------------------------------------------------


def example(name: str) -> Iterator[str]:
    """The program of that name with its rows, and what it writes."""
    path = EXAMPLES / f"{name}.dpipe"
    yield f"\n## Example\n\n```dpipe\n{with_rows(path)}```"
    for file, text in written(path).items():
        yield f"\n`{file}`:\n\n```json\n{text}```" if text else f"\n`{file}` is empty."


def with_rows(path: Path) -> str:
    """The program with the row after each stage that begins a line, in a comment below it."""
    compiled = dpipe.compile(path)
    source = next(s for s in compiled.sources.values() if s.file.endswith(path.name))
    lines = source.text.splitlines()
    below = {
        source.position(at.span.end).line: show(at.row)
        for at in compiled.rows
        if at.span.file == source.file
        and source.line(source.position(at.span.start).line).lstrip().startswith("|")
    }
    for number in sorted(below, reverse=True):
        lines.insert(number, f"  # row: {below[number]}")
    return "\n".join(lines) + "\n"


def written(path: Path) -> dict[str, str]:
    """The files that a run of the program writes, by their paths."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(path.read_bytes())
        dpipe.run(copy, progress="none")
        files = sorted((Path(folder) / "out").iterdir())
        return {f"out/{file.name}": file.read_text("utf-8") for file in files}


# -- pages ---------------------------------------------------------------------------------------


def stage_page(stage: Stage) -> Iterator[str]:
    yield f"# `{stage.name}`\n\n{stage.doc}\n"
    yield shown(stage.name, stage.params)
    yield f"**The row after it.** {stage.row} (R is the row before it.)\n"
    if stage.gathers:
        yield "It needs all rows before it gives one.\n"
    yield from arguments(stage.params)
    yield from ways(stage.params)
    yield from example(stage.name)
    yield f"\nThe whole rule is [`row.{stage.name}`](../../SPEC.md#{stage.name})."


def concat_page() -> Iterator[str]:
    word = next(word for word in WORDS if word.name == "concat")
    yield f"# `concat`\n\n{word.doc}\n"
    yield f"```text\n{word.form}\n```"
    yield from example("concat")
    yield "\nThe whole rule is [`row.concat`](../../SPEC.md#concat)."


def words_page() -> Iterator[str]:
    yield "# Words\n\nThe declarations, types and other words of the language, and the rule of"
    yield "[SPEC.md](../../SPEC.md) that has the whole of each."
    for word in WORDS:
        yield f"\n## `{word.name}`\n\n{word.doc} ({word.kind}; rule `{word.rule}`)\n"
        yield f"```text\n{word.form}\n```"


def answerers_page() -> Iterator[str]:
    yield "# Answerers\n\nWho answers a prompt, in `using:`; T is the prompt's result. The rules"
    yield "are under [Who answers](../../SPEC.md#who-answers)."
    for answerer in ANSWERERS.values():
        yield from _answerer(answerer)
    yield from example("answerers")


def _answerer(answerer: Answerer) -> Iterator[str]:
    yield f"\n## `{answerer.name}`\n\n{answerer.doc}\n"
    yield shown(answerer.name, answerer.params)
    yield from arguments(answerer.params)
    yield from ways(answerer.params, "###")


def models_page() -> Iterator[str]:
    yield "# Models\n\nThe kinds of endpoint that `model` declares. The rules are under"
    yield "[`model`](../../SPEC.md#model).\n"
    for name, params in MODELS.items():
        yield f"## `{name}`\n"
        yield from arguments(params)
        yield ""


def functions_page() -> Iterator[str]:
    yield "# Functions\n\nWhat expressions call. T and U stand for any type; an argument with"
    yield "`= …` may be left out. `zip(a: xs, b: ys)` gives the records"
    yield "`{ a: …, b: … }` of lists of one length. Values of each are shown under"
    yield "[Functions](../../SPEC.md#functions).\n"
    for function in sorted(FUNCTIONS.values(), key=lambda function: function.name):
        yield f"## `{function.name}`\n\nGives {function.doc}.\n"
        yield f"```text\n{function} -> {result(function)}\n```\n"
        yield from (f"- `{param.name}`: {param.doc}" for param in function.params)
        yield ""


def _declared(kind: str) -> Iterator[Extern]:
    return (extern for extern in externs(BUILTINS.read_text("utf-8")) if extern.kind == kind)


def externs_page(kind: str, intro: str) -> Iterator[str]:
    yield intro
    for name, overloads in groupby(_declared(kind), lambda extern: extern.name):
        yield f"\n## `{name}`"
        for extern in overloads:
            yield f"\n{extern.doc}\n\n```text\n{extern.signature}\n```"


READERS = """\
# Readers

What a `source` calls. Arguments may be given in order or by their labels; one with `= …` may be
left out. `path` is a file, a folder, a glob, or a list of them, relative to the program. A reader
whose signature ends in `-> { … }` gives rows of that type; the others give rows of the type that
the source declares. The rules are under [Sources](../../SPEC.md#sources)."""

WRITERS = """\
# Writers

What a `sink` ends with. The first parameter, `rows`, is what the writer is given per row; it is no
argument itself. A field without `?` comes from an argument of its label or the row's field of
that name, one with `?` and `extra` from an argument only; `flow[{}]` is the whole row. `reasoning`
is put before the answer as a think block, `history` holds the turns before the last, and the fields
of `extra` are added. `path` is relative to the program; `{.field}` in it writes a file for each
value. The rules are under [Sinks](../../SPEC.md#sinks)."""

AGGREGATES = """\
# Aggregates

What the labels of `report` and of [`group`](group.md) call. The first parameter is an
expression over each row; rows where it is null are left out. The rules are under
[Reports](../../SPEC.md#reports)."""


def index_page() -> Iterator[str]:
    yield "# Reference\n\nWritten by `scripts/reference.py` from the checker's tables and the"
    yield "modules; the text that says what all of it means is [SPEC.md](../../SPEC.md).\n"
    yield "| stage | |\n|---|---|"
    for name, stage in STAGES.items():
        yield f"| [`{name}`]({name}.md) | {stage.doc} |"
    yield "| [`concat`](concat.md) | Begins a flow with the rows of several. |"
    yield "\n| | |\n|---|---|"
    yield f"| [Words](words.md) | {_listed(word.name for word in WORDS)} |"
    yield f"| [Answerers](answerers.md) | {_listed(ANSWERERS)} |"
    yield f"| [Models](models.md) | {_listed(MODELS)} |"
    yield f"| [Functions](functions.md) | {_listed(sorted(FUNCTIONS))} |"
    for title, kind in (("Readers", "source"), ("Writers", "sink"), ("Aggregates", "metric")):
        names = dict.fromkeys(extern.name for extern in _declared(kind))
        yield f"| [{title}]({title.lower()}.md) | {_listed(names)} |"
    yield "\n| module | |\n|---|---|"
    for name, path in MODULES.items():
        yield f"| [`std.{name}`](std/{name}.md) | {modules.summary(path.read_text('utf-8'))} |"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def pages() -> dict[str, str]:
    """Each page by its path below docs/reference."""
    made = {f"{name}.md": stage_page(stage) for name, stage in STAGES.items()}
    made |= {
        "README.md": index_page(),
        "concat.md": concat_page(),
        "words.md": words_page(),
        "answerers.md": answerers_page(),
        "models.md": models_page(),
        "functions.md": functions_page(),
        "readers.md": _with_example(externs_page("source", READERS), "readers"),
        "writers.md": _with_example(externs_page("sink", WRITERS), "writers"),
        "aggregates.md": _with_example(externs_page("metric", AGGREGATES), "aggregates"),
    }
    for name, path in MODULES.items():
        made[f"std/{name}.md"] = modules.page(name, path.read_text("utf-8"))
    return {name: "\n".join(parts).rstrip() + "\n" for name, parts in made.items()}


def _with_example(parts: Iterable[str], name: str) -> Iterator[str]:
    yield from parts
    yield from example(name)


def main() -> int:
    made = pages()
    here = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.md")}
    gone = sorted(here - made.keys())
    stale = [name for name, text in made.items() if not _is(FOLDER / name, text)]
    if "--check" in sys.argv:
        for name in stale + gone:
            print(f"docs/reference/{name} is not current; run scripts/generate", file=sys.stderr)
        return int(bool(stale or gone))
    for name in gone:
        (FOLDER / name).unlink()
    for name in stale:
        path = FOLDER / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(made[name], encoding="utf-8")
    return 0


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
