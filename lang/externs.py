"""``extern`` declarations held against their Python, which is read and never imported."""

from __future__ import annotations

import ast
import warnings

from dpipe.lang import syntax
from dpipe.lang.agreement import METHODS, Callable
from dpipe.lang.behind import Behind
from dpipe.lang.calls import bind
from dpipe.lang.diagnostics import Bag
from dpipe.lang.modules import Program, python_file
from dpipe.lang.names import Decl, misspelt
from dpipe.lang.signatures import Param
from dpipe.lang.source import Span
from dpipe.lang.types import BOOL, INT, STR
from dpipe.lang.typing import Types

_PYTHON = (
    Param("target", "const", STR, positional=True),
    Param("record", "const", BOOL, required=False),
    Param("concurrency", "const", INT, required=False),
)


class Externs:
    """Checks that the function exists and agrees with the signature."""

    def __init__(self, program: Program, types: Types, bag: Bag) -> None:
        self.program = program
        self.types = types
        self.bag = bag

    def declare(self, decl: Decl, item: syntax.ExternItem) -> None:
        target = self._target(item)
        if target is None:
            return
        text, span = target
        module, _, name = text.partition(":")
        if not name or not module:
            help = 'write `python("checks.py:f")`'
            self.bag.add("E0701", span, "the Python is named as `file.py:name`", help=help)
        elif (path := python_file(decl.file, text)) is not None:
            self._file(decl, item, span, path, name)

    def _target(self, item: syntax.ExternItem) -> tuple[str, Span] | None:
        value = item.value
        if isinstance(value, syntax.BadExpr):
            return None
        if isinstance(value, syntax.Call) and isinstance(value.callee, syntax.NameRef):
            first = value.args[0].value if value.args else None
            named = isinstance(first, syntax.StringExpr) and first.constant is not None
            if value.callee.text == "python" and isinstance(first, syntax.StringExpr) and named:
                self._options(item, value)
                return first.constant or "", first.span
        help = 'write `python("checks.py:f")`'
        self.bag.add("E0701", value.span, "an extern names its Python", help=help)
        return None

    def _options(self, item: syntax.ExternItem, call: syntax.Call) -> None:
        """Report what ``python(…)`` does not take beside its target."""
        bound = bind(self.bag, call, "`python`", _PYTHON)
        for label, arg in bound.known.items():
            if label == "target":
                continue
            if item.kind != "def":
                message = f"`{label}:` is for `extern def` alone"
                self.bag.add("E0506", arg.span, message)
                continue
            value = arg.value.value if isinstance(arg.value, syntax.Literal) else None
            if label == "record" and not isinstance(value, bool):
                self.bag.add("E0303", arg.value.span, "`record:` is `true` or `false`")
            elif label == "concurrency" and (type(value) is not int or value < 1):
                message = "`concurrency:` is a whole number, 1 or more"
                self.bag.add("E0303", arg.value.span, message)

    def _file(self, decl: Decl, item: syntax.ExternItem, span: Span, path: str, name: str) -> None:
        data = self.program.python.get(path)
        if data is None:
            self.bag.add("E0701", span, f"no file `{path}`")
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # its author is told by Python
                tree = ast.parse(data, path)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None)
            where = f", line {line}" if line else ""
            self.bag.add("E0701", span, f"`{path}` is not valid Python{where}")
            return
        found = _find(tree, name)
        if isinstance(found, _Named) and found.decorator_list:
            message = f"`{found.name}` is decorated: its parameters cannot be checked"
            self.bag.add("E0705", span, message)
        elif isinstance(found, ast.ClassDef):
            Behind(decl, item, span, self.types, self.bag).cls(found)
        elif isinstance(found, Callable):
            Behind(decl, item, span, self.types, self.bag).function(found)
        elif name in _bound_names(tree):
            message = f"`{name}` is built when Python runs: it cannot be checked"
            self.bag.add("E0705", span, message)
        else:
            names = [node.name for node in tree.body if isinstance(node, _Named)]
            kind = "class" if item.kind in METHODS else "function"
            message = f"`{path}` has no {kind} `{name}`"
            misspelt(self.bag, "E0702", _name_in(span, name), name, message, names)


def _name_in(target: Span, name: str) -> Span:
    """The name's own place in ``"file.py:name"``."""
    return target._replace(start=target.end - 1 - len(name), end=target.end - 1)


_Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _find(tree: ast.Module, name: str) -> ast.stmt | None:
    for node in tree.body:
        if isinstance(node, _Named) and node.name == name:
            return node
    return None


def _bound_names(tree: ast.Module) -> set[str]:
    """Names that a module binds by assignment or import."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
    return names
