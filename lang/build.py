"""The parser's tree to syntax nodes: one method for each rule of ``grammar.lark``.

Every token is kept in the tree, so a node's span runs from its first child to its last.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any
from unicodedata import normalize

from dpipe.lang import strings, syntax
from dpipe.lang.automaton import Tree
from dpipe.lang.diagnostics import Bag, Edit, Fix
from dpipe.lang.scan import KEYWORDS, Token, report
from dpipe.lang.source import Source, Span

DEEPEST_TREE = 250  # levels of nodes; whatever walks the tree may recurse that far
_LONGEST = 300  # digits of a number


class TooDeep(Exception):
    """The tree is too deep to be walked by recursion."""


class Builder:
    """Builds the nodes of one file."""

    def __init__(self, source: Source, bag: Bag) -> None:
        self.source_file = source
        self.file = source.file
        self.bag = bag
        self.depth = 0

    def build(self, tree: Tree) -> Any:
        """The node of a tree. Raises TooDeep where nodes nest more than ``DEEPEST_TREE`` levels."""
        self.depth += 1
        if self.depth > DEEPEST_TREE:
            self.depth = 0
            raise TooDeep
        node = getattr(self, tree.data)(tree.children)
        self.depth -= 1
        return node

    # -- places ----------------------------------------------------------------------------------

    def at(self, token: Token) -> Span:
        return Span(self.file, token.start, token.end)

    def over(self, children: list[Any]) -> Span:
        return Span(self.file, _start(children), _end(children))

    # -- words and strings -----------------------------------------------------------------------

    def word(self, token: Token) -> syntax.Name:
        """A name, label or field; the dot of a field belongs to its span's node, not to it."""
        start = token.start + (token.type in ("ATTR", "FIELD"))
        return syntax.Name(text=_text(token), span=Span(self.file, start, token.end))

    def named(self, children: list[Any]) -> syntax.Name:
        """The name that a declaration gives, which expressions must be able to read."""
        self._check_readable(children[1])
        return self.word(children[1])

    def _check_readable(self, token: Token) -> None:
        if token.text in KEYWORDS:
            message = f"`{token.text}` is a keyword and cannot be used as a name"
            help = f"take another, like `{token.text}_`"
            self.bag.add("E0112", self.at(token), message, help=help)
        elif token.text.startswith('"'):
            message = f"a declared name is a plain word, not {token.text}"
            self.bag.add("E0112", self.at(token), message)

    def _params(self, tree: Tree) -> tuple[syntax.ParamDecl, ...]:
        """Parameters that expressions read, unlike those of a prompt."""
        for child in tree.children:
            if _is_tree(child):
                self._check_readable(child.children[0])
        return self.each(tree.children)

    def _path(self, tree: Tree) -> tuple[syntax.Name, ...]:
        return tuple(self.word(token) for token in tree.children)

    def string(self, children: list[Any]) -> syntax.StringExpr:
        token = children[0]
        span = self.at(token)
        raw = token.text
        if token.type == "STRING" and "{" not in raw and "\\" not in raw:
            return syntax.StringExpr(parts=(raw[1:-1],) if len(raw) > 2 else (), span=span)
        if "{" in raw:
            report(self.bag, self.source_file, token.start, strings.near_placeholders(raw))
        pieces = tuple(
            part if isinstance(part, str) else self.placeholder(part, token.start)
            for part in strings.parts(raw)
        )
        return syntax.StringExpr(parts=pieces, span=span)

    long_string = string

    def placeholder(self, hole: strings.Hole, at: int) -> syntax.Placeholder:
        names = tuple(
            syntax.Name(
                text=normalize("NFC", word),
                span=Span(self.file, at + start, at + start + len(word)),
            )
            for word, start in hole.path
        )
        span = Span(self.file, at + hole.start, at + hole.end)
        return syntax.Placeholder(path=names, of_row=hole.of_row, span=span)

    # -- expressions -----------------------------------------------------------------------------

    def name(self, c: list[Any]) -> syntax.NameRef:
        return syntax.NameRef(text=_text(c[0]), span=self.at(c[0]))

    def row(self, c: list[Any]) -> syntax.FieldRef:
        return syntax.FieldRef(text=_text(c[0]), span=self.at(c[0]))

    def attr(self, c: list[Any]) -> syntax.Attr:
        return syntax.Attr(of=self.build(c[0]), name=self.word(c[1]), span=self.over(c))

    def call(self, c: list[Any]) -> syntax.Call:
        callee = self.build(c[0])
        self._check_function(callee, c)
        args = []
        for arg in c[1].children:
            if _is_tree(arg):
                args.append(self.argument(arg))
        return syntax.Call(
            callee=callee,
            args=tuple(args),
            args_span=self.over(c[1].children),
            span=self.over(c),
        )

    def _check_function(self, callee: Any, c: list[Any]) -> None:
        """`.x.len()`: only what is declared or built in can be called, by its name or path."""
        root = callee
        while isinstance(root, syntax.Attr):
            root = root.of
        if root is callee or isinstance(root, syntax.NameRef | syntax.BadExpr):
            return
        of = self.source_file.text[callee.of.span.start : callee.of.span.end]
        others = self.source_file.text[_start(c[1].children) + 1 : _end(c[1].children) - 1].strip()
        name = callee.name.text
        write = f"{name}({of}, {others})" if others else f"{name}({of})"
        span = self.over(c)
        fix = Fix(f"write `{write}`", (Edit(span, write),))
        message = f"values have no methods; write `{write}`"
        self.bag.add("E0124", callee.name.span, message, fixes=(fix,))

    def argument(self, tree: Tree) -> syntax.Arg:
        c = tree.children
        if tree.data == "named_arg":
            return syntax.Arg(label=self.word(c[0]), value=self.build(c[2]), span=self.over(c))
        return syntax.Arg(label=None, value=self.build(tree), span=self.over([tree]))

    def index(self, c: list[Any]) -> syntax.Index:
        return syntax.Index(of=self.build(c[0]), index=self.build(c[2]), span=self.over(c))

    def binop(self, c: list[Any]) -> syntax.Binary:
        operator = c[1] if isinstance(c[1], Token) else c[1].children[0]
        return syntax.Binary(
            op=operator.text,
            left=self.build(c[0]),
            right=self.build(c[2]),
            op_span=self.at(operator),
            span=self.over(c),
        )

    or_ = and_ = compare = range_expr = coalesce = binop

    def not_(self, c: list[Any]) -> syntax.Unary:
        return syntax.Unary(op=c[0].text, operand=self.build(c[1]), span=self.over(c))

    neg = not_

    def if_(self, c: list[Any]) -> syntax.If:
        return syntax.If(
            test=self.build(c[1]),
            then=self.build(c[3]),
            otherwise=self.build(c[5]),
            span=self.over(c),
        )

    def lambda_(self, c: list[Any]) -> syntax.Lambda:
        return syntax.Lambda(param=self.word(c[0]), body=self.build(c[2]), span=self.over(c))

    def atom(self, c: list[Any]) -> Any:
        """``( expr )``"""
        return self.build(c[1])

    def list_(self, c: list[Any]) -> syntax.ListExpr:
        return syntax.ListExpr(items=self.each(c), span=self.over(c))

    def record(self, c: list[Any]) -> syntax.RecordExpr:
        return syntax.RecordExpr(entries=self.each(c), span=self.over(c))

    def rec_item(self, c: list[Any]) -> syntax.Entry:
        return syntax.Entry(key=self.word(c[0]), value=self.build(c[2]), span=self.over(c))

    entry = rec_item

    def each(self, children: Iterable[Any]) -> tuple[Any, ...]:
        """A loop and no comprehension, which would cost a frame at every level."""
        built = []
        for child in children:
            if _is_tree(child):
                built.append(self.build(child))
        return tuple(built)

    def number(self, c: list[Any]) -> syntax.Literal:
        return syntax.Literal(value=self._value(c[0]), span=self.at(c[0]))

    def _value(self, token: Token) -> int | float:
        if len(token.text) <= _LONGEST:
            value = int(token.text) if token.type == "INT" else float(token.text)
            if value != inf:
                return value
        self.bag.add("E0123", self.at(token), "this number is too large")
        return 0

    def true(self, c: list[Any]) -> syntax.Literal:
        return syntax.Literal(value=True, span=self.at(c[0]))

    def false(self, c: list[Any]) -> syntax.Literal:
        return syntax.Literal(value=False, span=self.at(c[0]))

    def null(self, c: list[Any]) -> syntax.Literal:
        return syntax.Literal(value=None, span=self.at(c[0]))

    def bad_expr(self, c: list[Any]) -> syntax.BadExpr:
        return syntax.BadExpr(span=self.at(c[0]))

    # -- types -----------------------------------------------------------------------------------

    def union(self, c: list[Any]) -> syntax.UnionType:
        """Left-nested in the tree; an enum may have hundreds of members."""
        span = self.over(c)
        options = []
        while True:
            options.append(self.build(c[2]))
            if c[0].data != "union":
                break
            c = c[0].children
        options.append(self.build(c[0]))
        return syntax.UnionType(options=tuple(reversed(options)), span=span)

    def optional(self, c: list[Any]) -> syntax.OptionalType:
        return syntax.OptionalType(of=self.build(c[0]), span=self.over(c))

    def named_type(self, c: list[Any]) -> syntax.NamedType:
        return syntax.NamedType(path=self._path(c[0]), span=self.over(c))

    def flow_type(self, c: list[Any]) -> syntax.FlowType:
        return syntax.FlowType(row=self.build(c[2]), span=self.over(c))

    def model_type(self, c: list[Any]) -> syntax.KindType:
        return syntax.KindType(kind=c[0].text, span=self.at(c[0]))

    prompt_type = model_type

    def list_type(self, c: list[Any]) -> syntax.ListType:
        return syntax.ListType(of=self.build(c[1]), span=self.over(c))

    def record_type(self, c: list[Any]) -> syntax.RecordType:
        return syntax.RecordType(fields=self.each(c), span=self.over(c))

    def field(self, c: list[Any]) -> syntax.FieldDecl:
        return syntax.FieldDecl(
            name=self.word(c[0]),
            type=self.build(c[2]),
            description=_plain(c[3]),
            span=self.over(c),
        )

    def lit_str(self, c: list[Any]) -> syntax.LiteralType:
        return syntax.LiteralType(value=strings.plain(c[0].text), span=self.at(c[0]))

    def range_type(self, c: list[Any]) -> syntax.RangeType:
        return syntax.RangeType(low=self._signed(c[0]), high=self._signed(c[2]), span=self.over(c))

    def _signed(self, tree: Tree) -> int | float:
        value = self._value(tree.children[1])
        return value if tree.children[0] is None else -value

    def bad_type(self, c: list[Any]) -> syntax.BadType:
        return syntax.BadType(span=self.at(c[0]))

    # -- flows -----------------------------------------------------------------------------------

    def flow_expr(self, c: list[Any]) -> syntax.FlowExpr:
        return syntax.FlowExpr(head=self.build(c[0]), stages=self.each(c[1:]), span=self.over(c))

    def stage(self, c: list[Any]) -> syntax.Stage:
        return syntax.Stage(call=self.build(c[1]), pipe=self.at(c[0]), span=self.over(c))

    # -- declarations ----------------------------------------------------------------------------

    def import_(self, c: list[Any]) -> syntax.Import:
        if isinstance(c[1], Token):
            return syntax.Import(
                dotted=(),
                path=strings.plain(c[1].text),
                path_span=self.at(c[1]),
                name=self.word(c[3]),
                span=self.over(c),
            )
        dotted = self._path(c[1])
        return syntax.Import(
            dotted=dotted,
            path=None,
            path_span=self.over(c[1].children),
            name=self.word(c[3]) if c[3] else dotted[-1],
            span=self.over(c),
        )

    def param(self, c: list[Any]) -> syntax.ParamItem:
        return syntax.ParamItem(
            name=self.named(c),
            type=self.build(c[3]),
            default=self.maybe(c[5]),
            help=_plain(c[6]),
            span=self.over(c),
        )

    def model(self, c: list[Any]) -> syntax.ModelItem:
        return syntax.ModelItem(name=self.named(c), value=self.build(c[3]), span=self.over(c))

    def type_(self, c: list[Any]) -> syntax.TypeItem:
        return syntax.TypeItem(name=self.named(c), type=self.build(c[3]), span=self.over(c))

    def prompt(self, c: list[Any]) -> syntax.PromptItem:
        return syntax.PromptItem(
            name=self.named(c),
            params=self.each(c[2].children),
            result=self.build(c[4]),
            entries=self.each(c[5].children),
            span=self.over(c),
        )

    def source(self, c: list[Any]) -> syntax.SourceItem:
        return syntax.SourceItem(
            name=self.named(c),
            row=self.build(c[3]) if c[2].type == "COLON" else None,
            value=self.build(c[-1]),
            span=self.over(c),
        )

    def flow(self, c: list[Any]) -> syntax.FlowItem:
        return syntax.FlowItem(
            name=self.named(c),
            row=self.build(c[3]) if c[2].type == "COLON" else None,
            value=self.build(c[-1]),
            span=self.over(c),
        )

    def sink(self, c: list[Any]) -> syntax.SinkItem:
        return syntax.SinkItem(name=self.named(c), value=self.build(c[3]), span=self.over(c))

    def pipe(self, c: list[Any]) -> syntax.PipeItem:
        return syntax.PipeItem(
            name=self.named(c),
            params=self._params(c[2]),
            flows=self.each(c[4:-2]),
            result=self.build(c[-2]),
            span=self.over(c),
        )

    def def_(self, c: list[Any]) -> syntax.DefItem:
        return syntax.DefItem(
            name=self.named(c),
            params=self._params(c[2]),
            result=self.build(c[4]),
            body=self.build(c[6]),
            span=self.over(c),
        )

    def extern_(self, c: list[Any]) -> syntax.ExternItem:
        return syntax.ExternItem(
            kind=c[1].children[0].text,
            name=self.word(c[2]),
            params=self.each(c[3].children),
            result=self.maybe(c[5]),
            value=self.build(c[7]),
            span=self.over(c),
        )

    def test(self, c: list[Any]) -> syntax.TestItem:
        return syntax.TestItem(
            title=self.word(c[1]),
            entries=self.each(c[2].children),
            span=self.over(c),
        )

    def param_decl(self, c: list[Any]) -> syntax.ParamDecl:
        return syntax.ParamDecl(
            name=self.word(c[0]),
            type=self.build(c[2]),
            default=self.maybe(c[4]),
            help=_plain(c[5]),
            span=self.over(c),
        )

    def maybe(self, tree: Tree | None) -> Any:
        return None if tree is None else self.build(tree)


def _is_tree(child: Any) -> bool:
    return child is not None and not isinstance(child, Token)


def _start(children: list[Any]) -> int:
    child = children[0]
    while not isinstance(child, Token):
        child = child.children[0] or child.children[1]
    return child.start


def _end(children: list[Any]) -> int:
    child = _last(children)
    while not isinstance(child, Token):
        child = _last(child.children)
    return child.end


def _last(children: list[Any]) -> Any:
    return next(child for child in reversed(children) if child is not None)


def _text(token: Token) -> str:
    """A name without its dot or quotes, in NFC."""
    text = token.text.removeprefix(".") if token.type in ("ATTR", "FIELD") else token.text
    if text.startswith('"'):
        text = strings.plain(text)
    return text if text.isascii() else normalize("NFC", text)


def _plain(token: Token | None) -> str | None:
    return None if token is None else strings.plain(token.text)
