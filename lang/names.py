"""What each name of a program refers to.

A file's declarations and imports share one namespace; built-in names belong to places and are
looked up by those who check the places, after the declarations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct

from dpipe.lang import syntax
from dpipe.lang.diagnostics import Bag, Edit, Fix, Label
from dpipe.lang.modules import BUILTINS, Program
from dpipe.lang.phrases import either
from dpipe.lang.source import Span
from dpipe.lang.spell import nearest

Declaration: TypeAlias = (
    syntax.ParamItem
    | syntax.ModelItem
    | syntax.TypeItem
    | syntax.PromptItem
    | syntax.SourceItem
    | syntax.FlowItem
    | syntax.SinkItem
    | syntax.PipeItem
    | syntax.DefItem
    | syntax.ExternItem
    | syntax.BadItem
)

FEW = 6
"""So many names are listed where none is near the one that is not known."""

KINDS: dict[type[syntax.Node], str] = {
    **syntax.KEYWORDS,
    syntax.DefItem: "function",
    syntax.Import: "module",
}
"""What a declaration is, in the user's words."""

_EXTERN = {"def": "function"}


class Decl(Struct, frozen=True):
    """A declaration and the file that it stands in."""

    file: str
    item: Declaration

    @property
    def name(self) -> syntax.Name:
        name = self.item.name
        assert name is not None
        return name

    @property
    def key(self) -> tuple[str, str]:
        return self.file, self.name.text

    @property
    def kind(self) -> str:
        """What the declaration is, in the user's words."""
        if isinstance(self.item, syntax.ExternItem):
            return _EXTERN.get(self.item.kind, self.item.kind)
        if isinstance(self.item, syntax.BadItem):
            return self.item.kind or "declaration"
        return KINDS[type(self.item)]


class Names:
    """The namespaces of a program's files, and which declarations something refers to."""

    def __init__(self, program: Program, bag: Bag) -> None:
        self.program = program
        self.bag = bag
        self.declared: dict[str, dict[str, Decl]] = {}
        self.imported: dict[str, dict[str, syntax.Import]] = {}
        self.used: set[tuple[str, str]] = set()
        self._missed: set[tuple[str, str]] = set()
        self._lost = {finding.span.file for finding in bag if finding.code == "E0114"} | {
            file
            for file, module in program.modules.items()
            for item in module.items
            if isinstance(item, syntax.BadItem) and item.name is None
        }
        self._built_ins: dict[str, dict[str, Decl]] = {}
        self._overloads: dict[tuple[str, str], list[Decl]] = {}
        for file, module in program.modules.items():
            if file == BUILTINS:
                self._declare_built_ins(module)
            else:
                self._declare(file, module)

    def _declare_built_ins(self, module: syntax.Module) -> None:
        """Built-in names belong to places: each kind has names of its own."""
        self.declared[BUILTINS], self.imported[BUILTINS] = {}, {}
        for item in module.items:
            if isinstance(item, syntax.ExternItem):
                decl = Decl(BUILTINS, item)
                self._built_ins.setdefault(decl.kind, {}).setdefault(item.name.text, decl)
                self._overloads.setdefault((decl.kind, item.name.text), []).append(decl)

    def _declare(self, file: str, module: syntax.Module) -> None:
        declared: dict[str, Decl] = self.declared.setdefault(file, {})
        imported: dict[str, syntax.Import] = self.imported.setdefault(file, {})
        first: dict[str, syntax.Name] = {}
        for item in module.items:
            name = getattr(item, "name", None)
            if isinstance(item, syntax.TestItem) or name is None:
                continue
            if name.text in first:
                self._twice(name, first[name.text])
                continue
            first.setdefault(name.text, name)
            if isinstance(item, syntax.Import):
                imported[name.text] = item
            else:
                declared.setdefault(name.text, Decl(file, item))

    def _twice(self, name: syntax.Name, first: syntax.Name) -> None:
        self.bag.add(
            "E0203",
            name.span,
            f"`{name.text}` is declared twice",
            labels=[Label(first.span, "first declared here")],
        )

    def local(self, file: str, name: str) -> Decl | None:
        """The declaration of this name in a file; it counts as used."""
        found = self.declared[file].get(name)
        if found is not None:
            self.used.add(found.key)
        return found

    def module(self, file: str, name: str) -> str | None:
        """The file that a module's name stands for, if it could be had."""
        if name not in self.imported[file]:
            return None
        self.used.add((file, name))
        return self.program.imports.get((file, name))

    def is_module(self, file: str, name: str) -> bool:
        return name in self.imported[file]

    def member(self, file: str, module: syntax.Name, name: syntax.Name) -> Decl | None:
        """``module.name``; what is wrong with it is reported, unless the module is missing."""
        target = self.module(file, module.text)
        if target is None:
            return None
        found = self.declared[target].get(name.text)
        if found is None:
            names = [key for key in self.declared[target] if not key.startswith("_")]
            self.unknown("E0201", name, f"`{module.text}` has no `{name.text}`", names)
            return None
        self.used.add(found.key)
        if name.text.startswith("_"):
            self.bag.add("E0213", name.span, f"`{name.text}` is private to `{target}`")
        elif isinstance(found.item, syntax.SinkItem):
            message = f"`{name.text}` is a sink of `{target}`: sinks and tests cannot be imported"
            self.bag.add("E0215", name.span, message)
            return None
        return found

    def keyed(self, file: str, key: str) -> Decl | None:
        """What a key of a test names, as ``Calls.key`` has it; it is no use of it."""
        where, colon, name = key.rpartition(":")
        if not colon:
            module, _, name = key.rpartition(".")
            where = self.program.imports.get((file, module)) or "" if module else file
        return self.declared.get(where, {}).get(name)

    def missing(self, file: str, name: str) -> bool:
        """Whether the name is of a module that could not be read: what hangs on it is quiet."""
        return self.is_module(file, name) and self.program.imports.get((file, name)) is None

    def built_ins(self, kind: str) -> dict[str, Decl]:
        """The built-in readers (``source``), writers (``sink``) or aggregates (``metric``)."""
        return self._built_ins.get(kind, {})

    def built_in(self, name: str, kind: str) -> Decl | None:
        return self.built_ins(kind).get(name)

    def overloads(self, decl: Decl) -> list[Decl]:
        """The declaration and what else has its name and kind in the file of the built-ins."""
        found = self._overloads.get((decl.kind, decl.name.text), [])
        return found if decl.file == BUILTINS else [decl]

    def of_kind(self, file: str, *kinds: str) -> list[str]:
        """The names of a kind that can be written in a file, for suggestions."""
        own = [name for name, decl in self.declared[file].items() if decl.kind in kinds]
        for module in self.imported[file]:
            target = self.program.imports.get((file, module))
            for name, decl in self.declared.get(target or "", {}).items():
                if decl.kind in kinds and not name.startswith("_"):
                    own.append(f"{module}.{name}")
        return own

    def told(self, name: syntax.Name) -> bool:
        """Whether this word has been told in its file; from now on it has."""
        known = (name.span.file, name.text) in self._missed
        self._missed.add((name.span.file, name.text))
        return known

    def unknown(
        self,
        code: str,
        name: syntax.Name,
        message: str,
        candidates: Iterable[str],
        help: str | None = None,
    ) -> None:
        """Report a name that nothing has; each is told once in a file.

        Where a declaration has lost its name, this may be it.
        """
        if not name.text or name.span.file in self._lost or self.told(name):
            return
        known = [*candidates]
        if help is None and 0 < len(known) <= FEW:
            help = f"there is {', '.join(f'`{one}`' for one in known)}"
        misspelt(self.bag, code, name.span, name.text, message, known, help)


def not_a_choice(bag: Bag, span: Span, label: str, written: str, choices: Sequence[str]) -> None:
    """Report an option that is none of a few; both as the program writes them."""
    misspelt(bag, "E0517", span, written, f"`{label}:` takes {either(choices)}", choices)


def misspelt(
    bag: Bag,
    code: str,
    span: Span,
    word: str,
    message: str,
    candidates: Iterable[str],
    help: str | None = None,
    *,
    dot: str = "",
) -> None:
    """Report a word that is not known, with the nearest that is as help and fix.

    ``dot`` is written before the word in the help (``.`` for fields).
    """
    near = nearest(word, list(candidates))
    if near is None:
        bag.add(code, span, message, help=help)
        return
    fix = Fix(f"replace with `{dot}{near}`", (Edit(span, f"{dot}{near}"),))
    bag.add(
        code,
        span,
        message,
        help=f"did you mean `{dot}{near}`?",
        fixes=[fix],
        suggestions=[near],
    )
