"""Lints: what is allowed and likely a mistake."""

from __future__ import annotations

from dpipe.lang import syntax
from dpipe.lang.check import Checked
from dpipe.lang.diagnostics import Bag, Edit, Fix
from dpipe.lang.modules import Program
from dpipe.lang.names import Decl

_UNUSED = {
    "model": "no stage asks it",
    "type": "nothing is declared with it",
    "prompt": "no stage asks it",
    "source": "no flow reads it",
    "flow": "no flow or sink reads it",
    "function": "nothing calls it",
    "pipe": "no flow uses it",
    "metric": "nothing computes it",
}


def lint_program(program: Program, checked: Checked, bag: Bag) -> None:
    """Report what is declared in the root file and never used."""
    if any(isinstance(item, syntax.BadItem) for item in program.modules[program.root].items):
        return  # what the broken declaration used is not known
    has_sinks = any(
        isinstance(item, syntax.SinkItem) for item in program.modules[program.root].items
    )
    for name, item in checked.names.imported[program.root].items():
        if (program.root, name) not in checked.names.used:
            _unused_import(program, item, bag)
    if not has_sinks:
        return  # a module of declarations for others
    for decl in checked.names.declared[program.root].values():
        if decl.key not in checked.names.used:
            _unused(decl, bag)


def _unused_import(program: Program, item: syntax.Import, bag: Bag) -> None:
    text = program.sources[item.span.file].text
    end = item.span.end + text[item.span.end : item.span.end + 1].count("\n")
    edit = Edit(item.span._replace(end=end), "")
    bag.add(
        "W0202",
        item.name.span,
        f"import `{item.name.text}` is not used",
        fixes=[Fix("remove the import", (edit,), safe=True)],
    )


def _unused(decl: Decl, bag: Bag) -> None:
    if decl.kind == "param":
        bag.add("W0203", decl.name.span, f"param `{decl.name.text}` is not used")
    elif decl.kind in _UNUSED:
        message = f"{decl.kind} `{decl.name.text}` is not used: {_UNUSED[decl.kind]}"
        bag.add("W0201", decl.name.span, message)
