"""The one layout of a program, printed from its tokens and comments.

Only line breaks, spaces, commas that may be left out and the margin of long strings are decided
here; before anything is returned, everything else is compared with what was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from dpipe.lang import strings
from dpipe.lang.brackets import (
    Bracket,
    Comment,
    Element,
    Leaf,
    Node,
    first_leaf,
    inner_comments,
    last_leaf,
    leaves,
    nest,
)
from dpipe.lang.diagnostics import Bag, Diagnostic
from dpipe.lang.layout import DECLARING
from dpipe.lang.parse import parse_module
from dpipe.lang.scan import Token, Tokens, scan
from dpipe.lang.source import Source

WIDTH = 100
_INDENT = 2

# Where a line that does not fit is broken, loosest first.
_BREAKS = (
    frozenset(("VBAR",)),
    frozenset(("THEN", "ELSE")),
    frozenset(("OR",)),
    frozenset(("AND",)),
    frozenset(("COALESCE",)),
    frozenset(("PLUS", "MINUS")),
)


class FormatRefused(Exception):
    """The program does not parse, or its layout could not be made without touching more."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("the program cannot be formatted")
        self.diagnostics = diagnostics


def format_text(source: Source) -> str:
    """The program in its one layout. Raises FormatRefused where it does not parse."""
    bag = Bag()
    parse_module(source, bag)
    if bag.has_errors:
        raise FormatRefused(tuple(bag))
    scanned = scan(source)
    text = _Printer(scanned).run()
    if _content(scan(Source(source.file, text))) != _content(scanned):
        raise FormatRefused(())
    return text


def _content(scanned: Tokens) -> tuple[list[tuple[str, object]], list[str]]:
    """What formatting must not change."""
    tokens = [(token.type, _value(token)) for token in scanned.tokens if token.type != "COMMA"]
    return tokens, sorted(comment.text.rstrip() for comment in scanned.comments)


def _value(token: Token) -> object:
    return strings.dedented(token.text) if token.type == "LONG_STRING" else token.text


class _Printer:
    def __init__(self, scanned: Tokens) -> None:
        self.scanned = scanned
        self.keyword = ""  # of the declaration being printed
        self.lines: list[str] = []
        self.line: str | None = None  # what is being written; None between lines

    # -- the file --------------------------------------------------------------------------------

    def run(self) -> str:
        found, ending = leaves(self.scanned)
        before: tuple[str, bool] | None = None  # the keyword above, and whether it took one line
        for declaration in _declarations(found, self.scanned.source.text):
            first = declaration[0]
            self.stay(first.before)
            blank = _take_blank(first)
            begin = len(self.lines)
            head = self.declaration(nest(declaration))
            after = (first.kind, len(self.lines) - head == 1)
            if before is not None and (blank or before != after or not after[1]):
                self.lines.insert(begin, "")
            before = after
        self.stay(ending)
        self.own_lines(ending, 0)
        return "\n".join(self.lines) + "\n"

    def declaration(self, nodes: list[Node]) -> int:
        """Prints it, and gives the line that it starts in, below its comments."""
        self.keyword = first_leaf(nodes[0]).kind
        head = len(self.lines) + len(_hoisted(nodes, [])[0]) + len(first_leaf(nodes[0]).before)
        head += bool(first_leaf(nodes[0]).before) and first_leaf(nodes[0]).blank
        if self.keyword in ("FLOW", "SINK"):
            self.flow(nodes, 0)
        elif self.keyword == "DEF":
            self.definition(nodes)
        else:
            self.statement(nodes, 0)
        self.end()
        return head

    def stay(self, waiting: list[Comment]) -> None:
        """Indented comments right below a declaration belong to it."""
        while self.lines and waiting and waiting[0].indented and not waiting[0].blank:
            self.own_lines([waiting.pop(0)], _INDENT)

    # -- lines -----------------------------------------------------------------------------------

    def start(self, indent: int) -> None:
        self.end()
        self.line = " " * indent

    def end(self) -> None:
        if self.line is not None:
            self.lines.append(self.line)
        self.line = None

    def put(self, text: str) -> None:
        self.line = (self.line or "") + text

    def blank(self) -> None:
        self.end()
        self.lines.append("")

    def own_lines(self, found: Iterable[Comment], indent: int) -> None:
        for comment in found:
            if comment.blank:
                self.blank()
            self.start(indent)
            self.put(comment.text)
            self.end()

    def open(self, nodes: list[Node], indent: int, commas: list[Leaf] | None = None) -> str:
        """Starts the line of some nodes, below their comments; gives the comment behind them."""
        first = first_leaf(nodes[0])
        hoisted, behind = _hoisted(nodes, commas or [])
        self.own_lines([*first.before, *hoisted], indent)
        if first.before and first.blank:
            self.blank()
        self.start(indent)
        return f"  {behind.text}" if behind else ""

    # -- statements ------------------------------------------------------------------------------

    def statement(self, nodes: list[Node], indent: int) -> None:
        behind = self.open(nodes, indent)
        self.content(nodes, indent)
        self.put(behind)

    def definition(self, nodes: list[Node]) -> None:
        """The body of a `def` that does not fit stands below it."""
        behind = self.open(nodes, 0)
        body = _equal(nodes) + 1
        if self.fits(self.flat(nodes)):
            self.content(nodes, 0)
        else:
            begin = len(self.lines)
            self.content(nodes[:body], 0)
            below = self.flat(nodes[body:])
            if len(self.lines) > begin and self.fits(below, 1):
                self.put(f" {below}")
            else:
                self.start(_INDENT)
                self.content(nodes[body:], _INDENT)
        self.put(behind)

    def flow(self, nodes: list[Node], indent: int) -> None:
        """One stage stands on the flow's line if it fits there, else each on one of its own."""
        pipes = _pipes(nodes)
        head = nodes[: pipes[0]] if pipes else nodes
        commented = len(_hoisted(nodes, [])[0]) > len(_hoisted(head, [])[0])
        flat = self.flat(nodes)
        fits = flat is not None and len(flat) <= WIDTH - indent
        if not pipes or (len(pipes) == 1 and fits and not commented):
            self.statement(nodes, indent)
            return
        self.statement(head, indent)
        for begin, until in pairwise((*pipes, len(nodes))):
            behind = self.open(nodes[begin:until], indent + _INDENT)
            self.put("| ")
            self.content(nodes[begin + 1 : until], indent + 2 * _INDENT)
            self.put(behind)

    # -- nodes in a row --------------------------------------------------------------------------

    def content(self, nodes: list[Node], indent: int, tail: int = 0) -> None:
        """Nodes from where the line is; ``tail`` columns must stay free behind them."""
        flat = self.flat(nodes)
        if self.fits(flat, tail):
            self.put(flat or "")
            return
        whole = self.flat(nodes, magic=False) if flat is None else flat
        parts = [nodes] if whole is None or self.fits(whole, tail) else _parts(nodes)
        if len(parts) == 1:
            self.row(nodes, indent, tail)
            return
        for part in parts[:-1]:
            self.content(part, indent)
            self.start(indent + _INDENT)
        self.content(parts[-1], indent, tail)

    def row(self, nodes: list[Node], indent: int, tail: int) -> None:
        for index, node in enumerate(nodes):
            if index and first_leaf(node).spaced:
                self.put(" ")
            if isinstance(node, Bracket):
                flat = self.flat([node])
                if self.fits(flat, _until_bracket(nodes[index + 1 :], tail)):
                    self.put(flat or "")
                else:
                    self.broken(node, indent)
            elif node.kind == "LONG_STRING":
                self.long_string(node.token, indent + _INDENT)
            else:
                self.put(node.token.text)

    def broken(self, bracket: Bracket, indent: int) -> None:
        """An element a line, the closing bracket below them."""
        self.put(bracket.opener.token.text)
        if bracket.hugs:
            self.row(bracket.elements[0].nodes, indent, WIDTH)
            self.put(bracket.closer.token.text)
            return
        for comment in bracket.opener.behind:
            self.put(f"  {comment.text}")
        inner = indent + _INDENT
        for index, element in enumerate(bracket.elements):
            if _take_blank(element.first) and index:
                self.blank()
            self.element(bracket, element, inner)
        if not bracket.elements and bracket.closer.before:
            bracket.closer.before[0].blank = False
        self.own_lines(bracket.closer.before, inner)
        self.start(indent)
        self.put(bracket.closer.token.text)

    def element(self, bracket: Bracket, element: Element, indent: int) -> None:
        if bracket.body and self.keyword == "PIPE":
            self.flow(element.nodes, indent)
            return
        behind = self.open(element.nodes, indent, element.commas)
        comma = "," if bracket.style == "list" else ""
        self.content(element.nodes, indent, len(comma))
        self.put(comma + behind)

    def long_string(self, token: Token, indent: int) -> None:
        """The text moves with its program: the margin is no part of it."""
        self.put('"""')
        self.end()
        text = strings.dedented(token.text)
        for line in text.split("\n") if text else ():
            self.lines.append(" " * indent + line if line else "")
        self.start(indent)
        self.put('"""')

    # -- on one line -----------------------------------------------------------------------------

    def fits(self, flat: str | None, tail: int = 0) -> bool:
        return flat is not None and len(self.line or "") + len(flat) + tail <= WIDTH

    def flat(self, nodes: list[Node], magic: bool = True) -> str | None:
        """The nodes on one line; None where they cannot stand on one.

        With ``magic`` what has a comma behind its last element cannot.
        """
        text = ""
        for index, node in enumerate(nodes):
            piece = (
                self.flat_bracket(node, magic) if isinstance(node, Bracket) else _flat_leaf(node)
            )
            if piece is None:
                return None
            text += f" {piece}" if index and first_leaf(node).spaced else piece
        return text

    def flat_bracket(self, bracket: Bracket, magic: bool) -> str | None:
        if bracket.body or bracket.opener.behind or any(inner_comments(bracket)):
            return None
        if magic and bracket.magic:
            return None
        elements = [self.flat(element.nodes, magic) for element in bracket.elements]
        known = [element for element in elements if element is not None]
        if len(known) < len(elements):
            return None
        inner = ", ".join(known)
        if inner and bracket.opener.kind == "LBRACE":
            inner = f" {inner} "
        return bracket.opener.token.text + inner + bracket.closer.token.text


def _flat_leaf(leaf: Leaf) -> str | None:
    return None if leaf.kind == "LONG_STRING" else leaf.token.text


def _declarations(found: list[Leaf], text: str) -> Iterator[list[Leaf]]:
    begin = 0
    for index, leaf in enumerate(found):
        start = leaf.token.start
        outside = not start or text[start - 1] == "\n"
        if index > begin and outside and leaf.kind in DECLARING:
            yield found[begin:index]
            begin = index
    yield found[begin:]


def _take_blank(first: Leaf) -> bool:
    """Whether an empty line stands above a thing and its comments; it is then no longer theirs."""
    if not first.before:
        return first.blank
    blank, first.before[0].blank = first.before[0].blank, False
    return blank


def _hoisted(nodes: list[Node], commas: list[Leaf]) -> tuple[list[Comment], Comment | None]:
    """Comments from inside a row, which move above it, and the one that may stay behind it."""
    above: list[Comment] = []
    for index, node in enumerate(nodes):
        if index:
            above.extend(first_leaf(node).before)
        if index < len(nodes) - 1:
            above.extend(last_leaf(node).behind)
    behind = list(last_leaf(nodes[-1]).behind)
    for comma in commas:
        behind.extend((*comma.before, *comma.behind))
    above = [Comment(comment.text) for comment in (*above, *behind[:-1])]
    return above, behind[-1] if behind else None


def _equal(nodes: list[Node]) -> int:
    """The index of the `=` that is in no bracket; -1 if there is none."""
    for index, node in enumerate(nodes):
        if isinstance(node, Leaf) and node.kind == "EQUAL":
            return index
    return -1


def _pipes(nodes: list[Node]) -> list[int]:
    """The indexes of the `|` before stages; those before the `=` belong to a type."""
    begin = _equal(nodes) + 1
    return [
        index
        for index, node in enumerate(nodes)
        if index >= begin and isinstance(node, Leaf) and node.kind == "VBAR"
    ]


def _parts(nodes: list[Node]) -> list[list[Node]]:
    """The row cut before its loosest operators; whole if it has none."""
    for kinds in _BREAKS:
        cuts = [
            index
            for index, node in enumerate(nodes)
            if index and isinstance(node, Leaf) and node.kind in kinds and not node.unary
        ]
        if cuts:
            return [nodes[begin:until] for begin, until in pairwise((0, *cuts, len(nodes)))]
    return [nodes]


def _until_bracket(nodes: list[Node], tail: int) -> int:
    """The columns that what follows needs up to where a line can break next."""
    width = 0
    for node in nodes:
        leaf = first_leaf(node)
        width += len(leaf.token.text) + leaf.spaced
        if isinstance(node, Bracket):
            return width
    return width + tail
