"""``extern`` declarations held against their Python, which is read and never imported."""

from __future__ import annotations

import ast
from typing import TypeAlias

from dpipe.lang import syntax
from dpipe.lang.calls import bind
from dpipe.lang.diagnostics import Bag, Label
from dpipe.lang.modules import Program, python_file
from dpipe.lang.names import Decl, misspelt
from dpipe.lang.signatures import Param
from dpipe.lang.source import Span
from dpipe.lang.types import (
    BOOL,
    INT,
    STR,
    Bool,
    Enum,
    Float,
    Int,
    Json,
    List,
    Record,
    Str,
    Type,
    required,
    show,
)
from dpipe.lang.typing import Types

_Callable: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_ANNOTATIONS: dict[type[Type], tuple[str, ...]] = {
    Str: ("str",),
    Enum: ("str",),
    Int: ("int", "float"),
    Float: ("float",),
    Bool: ("bool",),
    List: ("list", "List", "Sequence", "Iterable", "Collection"),
    Record: ("dict", "Dict", "Mapping"),
}


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
            tree = ast.parse(data, path)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            where = f", line {line}" if line else ""
            self.bag.add("E0701", span, f"`{path}` is not valid Python{where}")
            return
        found = _find(tree, name)
        if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
            self._function(decl, item, found, span)
        elif found is None and name in _bound_names(tree):
            message = f"`{name}` is built when Python runs: it cannot be checked"
            self.bag.add("E0705", span, message)
        elif found is None:
            names = [node.name for node in tree.body if isinstance(node, _Named)]
            message = f"`{path}` has no function `{name}`"
            misspelt(self.bag, "E0702", span, name, message, names)

    def _function(self, decl: Decl, item: syntax.ExternItem, found: _Callable, span: Span) -> None:
        if found.decorator_list:
            message = f"`{found.name}` is decorated: its parameters cannot be checked"
            self.bag.add("E0705", span, message)
            return
        args = found.args
        names = [arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
        names = [name for name in names if item.kind != "source" or name != "context"]
        if args.vararg or args.kwarg:
            return
        if names != [param.name.text for param in item.params]:
            written = ", ".join(param.name.text for param in item.params)
            message = f"`{found.name}` takes ({', '.join(names)}), declared ({written})"
            self.bag.add("E0703", item.name.span, message, labels=[Label(span, "this Python")])
            return
        if item.kind != "def":
            return
        for arg, param in zip((*args.posonlyargs, *args.args), item.params, strict=False):
            self._annotation(decl, param.type, arg.annotation, f"parameter `{arg.arg}`")
        if item.result is not None:
            self._annotation(decl, item.result, found.returns, "the result")

    def _annotation(
        self, decl: Decl, node: syntax.TypeExpr, annotation: ast.expr | None, what: str
    ) -> None:
        declared = self.types.of(decl.file, node)
        found = _plain(annotation)
        allowed = _ANNOTATIONS.get(type(required(declared)))
        known = {name for names in _ANNOTATIONS.values() for name in names}
        if isinstance(declared, Json) or found is None or allowed is None or found not in known:
            return
        if found not in allowed:
            assert annotation is not None
            message = f"{what} is {ast.unparse(annotation)} in Python, declared {show(declared)}"
            self.bag.add("E0704", node.span, message)


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


def _plain(annotation: ast.expr | None) -> str | None:
    """The outermost name of an annotation, ``None`` aside; None where it is anything else."""
    match annotation:
        case ast.Name(id):
            return id
        case ast.Subscript(ast.Name("Optional"), inner):
            return _plain(inner)
        case ast.Subscript(ast.Name(id)):
            return id
        case ast.BinOp(left, ast.BitOr(), ast.Constant(None)):
            return _plain(left)
        case ast.BinOp(ast.Constant(None), ast.BitOr(), right):
            return _plain(right)
        case _:
            return None
