"""A program's files: the root, and what its imports reach.

A file is read through the given ``load``; nothing here opens one. ``std.x`` is
``<std>/x.dpipe`` to it, a quoted path is relative to the importing file. Paths use ``/``.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from dpipe.lang import syntax
from dpipe.lang.diagnostics import Bag, Edit, Fix
from dpipe.lang.parse import read_module
from dpipe.lang.pieces import Pieces
from dpipe.lang.source import Source, Span
from dpipe.lang.spell import nearest

Load = Callable[[str], bytes]
"""Gives a file's bytes by its path; raises ``OSError`` where it cannot."""

STD = "<std>/"
"""What the paths of bundled modules begin with."""

BUILTINS = f"{STD}builtins.dpipe"
"""The module that declares the built-in readers and writers."""


class Program(Struct):
    """The files of a program by path; ``imports`` maps (file, module name) to a path or None.

    ``python`` has the Python files that ``extern``s name, None where one cannot be read.
    ``pieces`` are what each file was read as, by path.
    """

    root: str
    sources: dict[str, Source]
    modules: dict[str, syntax.Module]
    imports: dict[tuple[str, str], str | None]
    python: dict[str, bytes | None]
    pieces: dict[str, Pieces]


def python_target(item: syntax.ExternItem) -> str:
    """``module:name`` of the Python behind a declaration; empty where it does not say."""
    value = item.value
    if isinstance(value, syntax.Call) and value.args:
        first = value.args[0].value
        if isinstance(first, syntax.StringExpr):
            return first.constant or ""
    return ""


def python_options(item: syntax.ExternItem) -> dict[str, bool | int]:
    """What else ``python(…)`` says: ``record:`` and ``concurrency:``, where they are literals."""
    call = item.value
    args = call.args[1:] if isinstance(call, syntax.Call) else ()
    return {
        arg.label.text: arg.value.value
        for arg in args
        if arg.label is not None
        and isinstance(arg.value, syntax.Literal)
        and isinstance(arg.value.value, bool | int)
    }


def python_file(file: str, target: str) -> str | None:
    """The path of a target's file as seen from the root; None for an installed module."""
    module = target.partition(":")[0]
    if not module.endswith(".py"):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(file), module))


def _without_broken(tree: syntax.Module, found: Bag) -> syntax.Module:
    """The file with only the names of declarations that did not parse.

    What stands in them was guessed by recovery: nothing that hangs on it may be reported.
    """
    wrong = [finding.span.start for finding in found if finding.severity == "error"]
    starts = [item.span.start for item in tree.items[1:]] + [tree.span.end + 1]
    items = tuple(
        _broken(item) if any(item.span.start <= at < end for at in wrong) else item
        for item, end in zip(tree.items, starts, strict=False)
    )
    return replace(tree, items=items)


def _broken(item: syntax.Item) -> syntax.Item:
    if isinstance(item, syntax.BadItem | syntax.TestItem | syntax.Import):
        return item
    kind = item.kind if isinstance(item, syntax.ExternItem) else syntax.KEYWORDS.get(type(item))
    return syntax.BadItem(kind=kind, name=item.name, span=item.span)


class _Loader:
    def __init__(
        self, load: Load, std: tuple[str, ...], bag: Bag, before: Mapping[str, Pieces]
    ) -> None:
        self.load = load
        self.std = std
        self.bag = bag
        self.before = before
        self.sources: dict[str, Source] = {}
        self.modules: dict[str, syntax.Module] = {}
        self.imports: dict[tuple[str, str], str | None] = {}
        self.python: dict[str, bytes | None] = {}
        self.newer: set[str] = set()  # the files of an edition that is not read
        self.pieces: dict[str, Pieces] = {}

    def module(self, path: str, asked: Span | None, trail: tuple[str, ...]) -> bool:
        """Read a file and what it imports; False where it cannot be had."""
        if path in trail:
            self._cycle(asked, (*trail[trail.index(path) :], path))
            return True
        if path in self.modules:
            return path not in self.newer
        text = self._text(path, asked)
        if text is None:
            return False
        source = self.sources[path] = Source(path, text)
        found = Bag()
        tree, self.pieces[path] = read_module(source, found, self.before.get(path, {}))
        tree = self.modules[path] = _without_broken(tree, found)
        self.bag.extend(found)
        if any(finding.code == "E0001" for finding in found):
            self.newer.add(path)
            return asked is None
        for item in tree.items:
            if isinstance(item, syntax.Import):
                self._import(path, item, (*trail, path))
            elif isinstance(item, syntax.ExternItem):
                self._python(python_file(path, python_target(item)))
        return True

    def _python(self, path: str | None) -> None:
        if path is not None and path not in self.python:
            try:
                self.python[path] = self.load(path)
            except OSError:
                self.python[path] = None

    def _import(self, path: str, item: syntax.Import, trail: tuple[str, ...]) -> None:
        target = self._target(path, item)
        if target is not None and not self.module(target, item.path_span, trail):
            target = None
        self.imports.setdefault((path, item.name.text), target)

    def _target(self, path: str, item: syntax.Import) -> str | None:
        if item.path is not None:
            return posixpath.normpath(posixpath.join(posixpath.dirname(path), item.path))
        names = [name.text for name in item.dotted]
        if names[0] == "std" and len(names) == 2 and names[1] in self.std:
            return f"{STD}{names[1]}.dpipe"
        self._unknown_module(item, ".".join(names))
        return None

    def _unknown_module(self, item: syntax.Import, dotted: str) -> None:
        known = [f"std.{name}" for name in self.std]
        meant = dotted if dotted in self.std else nearest(dotted.removeprefix("std."), self.std)
        near = f"std.{meant}" if meant else None
        fixes = [Fix(f"replace with `{near}`", (Edit(item.path_span, near),))] if near else []
        self.bag.add(
            "E0202",
            item.path_span,
            f"no module `{dotted}`",
            help=f"did you mean `{near}`?" if near else _instead(item, dotted, known),
            suggestions=[near] if near else [],
            fixes=fixes,
        )

    def _text(self, path: str, asked: Span | None) -> str | None:
        place = asked or Span(path, 0, 0)
        try:
            data = self.load(path)
        except OSError as error:
            reason = error.strerror or "it cannot be read"
            if asked is not None:
                self.bag.add("E0202", place, f"no module `{path}`: {reason.lower()}")
            else:
                self.bag.add("E0004", place, f"cannot read `{path}`: {reason.lower()}")
            return None
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            self.bag.add(
                "E0003",
                place,
                f"`{path}` is not UTF-8 (byte 0x{data[error.start]:02x} at offset {error.start})",
                help="save the file as UTF-8",
            )
            return None

    def _cycle(self, asked: Span | None, trail: tuple[str, ...]) -> None:
        names = [f"`{posixpath.basename(name)}`" for name in trail]
        if len(trail) == 2:
            message = f"{names[0]} imports itself"
        elif len(trail) == 3:
            message = f"{names[0]} and {names[1]} import each other"
        else:
            message = "files import each other: " + " -> ".join(names)
        if asked is not None:
            self.bag.add("E0212", asked, message)


def load_program(
    file: str, load: Load, std: tuple[str, ...], bag: Bag, before: Mapping[str, Pieces]
) -> Program:
    """Every file of the program whose root is ``file``; ``std`` names the bundled modules.

    What is among the pieces ``before`` of a file is not read again.
    """
    loader = _Loader(load, std, bag, before)
    loader.module(BUILTINS, None, ())
    loader.module(file, None, ())
    return Program(
        file, loader.sources, loader.modules, loader.imports, loader.python, loader.pieces
    )


def _instead(item: syntax.Import, dotted: str, known: list[str]) -> str:
    """What an import of no module may mean: a name of one, or a file."""
    module, _, name = dotted.rpartition(".")
    if module in known:
        return f"import `{module}` and write `{module.rpartition('.')[2]}.{name}`"
    if module == "std" or dotted == "std":
        return f"there are {', '.join(known)}"
    name = item.name.text
    return f'a file of yours is imported by its path: `import "./{name}.dpipe" as {name}`'
