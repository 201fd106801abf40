"""One ``extern`` held against the function or class that is read behind it."""

from __future__ import annotations

import ast

from msgspec import Struct

from dpipe.lang import syntax
from dpipe.lang.agreement import (
    METHODS,
    NO_SHAPE,
    Callable,
    Shape,
    given,
    has_attribute,
    in_python,
    is_open,
    is_plain_generator,
    method_of,
    shape_of,
    takes,
    takes_count,
)
from dpipe.lang.diagnostics import Bag, Label
from dpipe.lang.names import Decl
from dpipe.lang.source import Span
from dpipe.lang.types import (
    Bool,
    Enum,
    Float,
    Int,
    Json,
    List,
    Model,
    Record,
    Str,
    Type,
    required,
    show,
)
from dpipe.lang.typing import Types

_ANNOTATIONS: dict[type[Type], tuple[str, ...]] = {
    Str: ("str",),
    Enum: ("str",),
    Int: ("int", "float"),
    Float: ("float",),
    Bool: ("bool",),
    List: ("list", "List", "Sequence", "Iterable", "Collection"),
    Record: ("dict", "Dict", "Mapping"),
}
_ANNOTATED = frozenset(name for names in _ANNOTATIONS.values() for name in names)


class Behind(Struct, frozen=True):
    """An extern and the place where it names its Python; what disagrees goes into the bag."""

    decl: Decl
    item: syntax.ExternItem
    span: Span
    types: Types
    bag: Bag

    def function(self, found: Callable) -> None:
        if self.item.kind in ("source", "pipe") and is_plain_generator(found):
            message = f"`{found.name}` yields and is not `async`"
            self._mismatch(message, help=f"write `async def {found.name}`")
        elif self._parameters(found.name, shape_of(found.args), found.args):
            result = self.item.result if self.item.kind == "def" else None
            self._annotation(result, found.returns, "the result")

    def cls(self, found: ast.ClassDef) -> None:
        """A class; what it inherits reading does not tell."""
        if self.item.kind not in METHODS or not self._has_methods(found):
            return
        made = method_of(found, "__init__")
        if made is None and not is_open(found):
            self._parameters(found.name, NO_SHAPE)
        elif made is not None:
            self._parameters(found.name, shape_of(made.args, method=True), made.args)
        for name, count in METHODS[self.item.kind]:
            method = method_of(found, name)
            if method is not None and not method.decorator_list:
                self._method(found.name, method, count)

    def _has_methods(self, found: ast.ClassDef) -> bool:
        names = [name for name, _ in METHODS[self.item.kind]]
        missing = [n for n in names if not (method_of(found, n) or has_attribute(found, n))]
        if missing and is_open(found):
            message = f"`{found.name}` inherits: its `{missing[0]}` cannot be checked"
            self.bag.add("E0705", self.span, message)
        elif missing:
            help = f"a {self.item.kind} has {' and '.join(f'`{name}`' for name in names)}"
            message = f"`{found.name}` has no method `{missing[0]}`"
            self.bag.add("E0702", self.span, message, help=help)
        return not missing

    def _method(self, cls: str, method: Callable, count: int) -> None:
        """A method that is called with so many values."""
        name, shape = f"{cls}.{method.name}", shape_of(method.args, method=True)
        if isinstance(method, ast.AsyncFunctionDef):
            self._mismatch(f"`{name}` is `async`, and nobody waits for it")
        elif not takes_count(shape, count):
            called = "a value" if count else "nothing"
            self._mismatch(f"`{name}` takes ({', '.join(shape.names)}), called with {called}")
        elif method.name == "add" and self.item.params:
            values = [*method.args.posonlyargs, *method.args.args][1:]
            annotation = values[0].annotation if values else None
            self._annotation(self.item.params[0].type, annotation, "the value of `add`")
        elif method.name == "result":
            self._annotation(self.item.result, method.returns, "the result")

    def _parameters(self, name: str, shape: Shape, args: ast.arguments | None = None) -> bool:
        """Whether the parameters agree."""
        options = [self._is_given(at) for at in range(len(self.item.params))]
        names = given(self.item, options)
        if not takes(shape, self.item, names):
            verb = "called with" if self.item.kind in METHODS else "declared"
            taken = ", ".join(shape.names)
            self._mismatch(f"`{name}` takes ({taken}), {verb} ({', '.join(names)})")
            return False
        every = (*args.posonlyargs, *args.args, *args.kwonlyargs) if args else ()
        annotations = {arg.arg: arg.annotation for arg in every}
        for param, one in zip(self.item.params, options, strict=True):
            if one:
                label = in_python(param.name.text)
                self._annotation(param.type, annotations.get(label), f"parameter `{label}`")
        return True

    def _is_given(self, at: int) -> bool:
        """Whether a declared parameter is an argument of the call that is checked."""
        param = self.item.params[at]
        match self.item.kind:
            case "metric":
                of = self.types.of(self.decl.file, param.type)
                return at > 0 and not isinstance(of, Model)
            case "sink":
                return at > 0 and param.name.text != "path"
            case kind:
                return at > 0 or kind != "pipe"

    def _mismatch(self, message: str, help: str | None = None) -> None:
        labels = [Label(self.span, "this Python")]
        self.bag.add("E0703", self.item.name.span, message, labels=labels, help=help)

    def _annotation(
        self, node: syntax.TypeExpr | None, annotation: ast.expr | None, what: str
    ) -> None:
        if node is None:
            return
        declared = self.types.of(self.decl.file, node)
        found = _plain(annotation)
        allowed = _ANNOTATIONS.get(type(required(declared)))
        if isinstance(declared, Json) or allowed is None or found not in _ANNOTATED:
            return
        if found not in allowed:
            assert annotation is not None
            message = f"{what} is {ast.unparse(annotation)} in Python, declared {show(declared)}"
            self.bag.add("E0704", node.span, message)


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
