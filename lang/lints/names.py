"""Lints of declarations: what nothing uses, and what hides something."""

from __future__ import annotations

from dpipe.lang import syntax
from dpipe.lang.diagnostics import Edit, Fix
from dpipe.lang.functions import FUNCTIONS
from dpipe.lang.lints.subject import Subject
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


def unused(subject: Subject) -> None:
    """W0201, W0202, W0203: what the root file declares and never uses."""
    root, names = subject.program.root, subject.checked.names
    items = subject.program.modules[root].items
    for name, item in names.imported[root].items():
        if (root, name) not in names.used:
            _unused_import(subject, item)
    if not any(isinstance(item, syntax.SinkItem) for item in items):
        return  # a module of declarations for others
    for decl in names.declared[root].values():
        if decl.key not in names.used:
            _unused(subject, decl)


def _unused_import(subject: Subject, item: syntax.Import) -> None:
    text = subject.program.sources[item.span.file].text
    end = item.span.end + text[item.span.end : item.span.end + 1].count("\n")
    edit = Edit(item.span._replace(end=end), "")
    subject.bag.add(
        "W0202",
        item.name.span,
        f"import `{item.name.text}` is not used",
        fixes=[Fix("remove the import", (edit,), safe=True)],
    )


def _unused(subject: Subject, decl: Decl) -> None:
    if decl.kind == "param":
        subject.bag.add("W0203", decl.name.span, f"param `{decl.name.text}` is not used")
    elif decl.kind in _UNUSED:
        message = f"{decl.kind} `{decl.name.text}` is not used: {_UNUSED[decl.kind]}"
        subject.bag.add("W0201", decl.name.span, message)


def shadowed_builtins(subject: Subject) -> None:
    """W0204: a ``def`` that wins over a built-in function."""
    for kind in (syntax.DefItem, syntax.ExternItem):
        for decl in subject.declared(kind):
            if decl.kind == "function" and decl.name.text in FUNCTIONS:
                name = decl.name.text
                subject.bag.add(
                    "W0204",
                    decl.name.span,
                    f"`{name}` is a built-in function too; in this file this one is called",
                    help="give it a name of its own",
                )
