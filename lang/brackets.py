"""A declaration as its brackets nest, with the comments that stand at each token.

The formatter works on this and not on the syntax tree: a bracket knows what it holds and how it
may be broken, everything else is tokens in a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from dpipe.lang.scan import CLOSERS, OPENERS, Token, Tokens

_GLUED = frozenset(("COMMA", "COLON", "ATTR", "QMARK", "RANGE"))
_WITH_PARAMETERS = frozenset(("PROMPT", "PIPE", "DEF", "EXTERN"))
_VALUE_ENDS = frozenset(
    (
        "NAME", "FIELD", "ATTR", "STRING", "LONG_STRING", "INT", "FLOAT", "TRUE", "FALSE", "NULL",
        "RPAR", "RSQB", "RBRACE",
    )
)  # fmt: skip

# How a bracket that is broken writes its elements: ``body`` without commas, ``list`` with a
# comma behind each, ``group`` holds one expression or type and takes no comma.
Style: TypeAlias = Literal["body", "list", "group"]


class Comment:
    """``blank``: an empty line stands before it; ``indented``: it does not start in column 1."""

    def __init__(self, text: str, blank: bool = False, indented: bool = False) -> None:
        self.text = text
        self.blank = blank
        self.indented = indented


class Leaf:
    """A token with the comments on the lines before it and those behind it.

    ``spaced``: a space stands between it and the token before it on its line.
    """

    def __init__(self, token: Token, blank: bool, spaced: bool, unary: bool) -> None:
        self.token = token
        self.blank = blank
        self.spaced = spaced
        self.unary = unary
        self.before: list[Comment] = []
        self.behind: list[Comment] = []

    @property
    def kind(self) -> str:
        return self.token.type


class Element:
    """What stands between two commas; ``commas`` are those behind it, with their comments."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.commas: list[Leaf] = []

    @property
    def first(self) -> Leaf:
        return first_leaf(self.nodes[0])


class Bracket:
    def __init__(self, opener: Leaf, style: Style, body: bool) -> None:
        self.opener = opener
        self.closer = opener  # until it is read
        self.style = style
        self.body = body  # a body is always broken
        self.elements: list[Element] = []

    @property
    def hugs(self) -> bool:
        """Whether all it holds is one other bracket, without comments between the two."""
        if len(self.elements) != 1 or self.elements[0].commas:
            return False
        [inner, *more] = self.elements[0].nodes
        if more or not isinstance(inner, Bracket) or not inner.elements:
            return False
        between = (*self.opener.behind, *inner.opener.before, *inner.closer.behind)
        return not between and not self.closer.before

    @property
    def magic(self) -> bool:
        """Whether a comma at the end asks for an element a line."""
        return self.style == "list" and bool(self.elements and self.elements[-1].commas)


Node: TypeAlias = Leaf | Bracket


def first_leaf(node: Node) -> Leaf:
    return node if isinstance(node, Leaf) else node.opener


def last_leaf(node: Node) -> Leaf:
    return node if isinstance(node, Leaf) else node.closer


def leaves(scanned: Tokens) -> tuple[list[Leaf], list[Comment]]:
    """Every token with its comments, and the comments at the end of the file.

    A comment behind a token on its line belongs to that token, any other to the next one; but
    indented lines right below a declaration stay with it.
    """
    text = scanned.source.text
    found: list[Leaf] = []
    waiting: list[Comment] = []
    things = sorted((*scanned.tokens, *scanned.comments), key=lambda token: token.start)
    end = 0
    for thing in things:
        gap = text[end : thing.start]
        blank = gap.count("\n") > 1
        if thing.type != "COMMENT":
            leaf = _leaf(thing, blank, found[-1] if found else None)
            leaf.before, waiting = waiting, []
            found.append(leaf)
        elif found and not waiting and "\n" not in gap:
            found[-1].behind.append(Comment(thing.text.rstrip()))
        else:
            indented = gap.rpartition("\n")[2] != ""
            waiting.append(Comment(thing.text.rstrip(), blank, indented))
        end = thing.end
    return found, waiting


def _leaf(token: Token, blank: bool, before: Leaf | None) -> Leaf:
    if before is None:
        return Leaf(token, blank, spaced=False, unary=False)
    unary = token.type == "MINUS" and before.kind not in _VALUE_ENDS
    return Leaf(token, blank, _spaced(before, token.type), unary)


def _spaced(before: Leaf, kind: str) -> bool:
    if before.kind in OPENERS or kind in CLOSERS:
        return before.kind == "LBRACE" or kind == "RBRACE"
    if kind in _GLUED or before.kind == "RANGE" or before.unary:
        return False
    return kind not in ("LPAR", "LSQB") or not _applied(before.kind, kind)


def _applied(before: str, opener: str) -> bool:
    """Whether a bracket belongs to what stands before it: a call, an index, parameters."""
    if before in ("NAME", "ATTR", "FIELD", "RPAR", "RSQB"):
        return True
    return opener == "LSQB" and before in ("STRING", "FLOW", "RBRACE")


def nest(tokens: list[Leaf]) -> list[Node]:
    """The tokens of one declaration as nested brackets."""
    return _Nesting(tokens).read()


class _Nesting:
    def __init__(self, tokens: list[Leaf]) -> None:
        self.tokens = tokens
        self.keyword = tokens[0].kind
        self.body = _body_index(tokens)
        self.at = 0

    def read(self) -> list[Node]:
        nodes: list[Node] = []
        typed = False
        while self.at < len(self.tokens):
            leaf = self.tokens[self.at]
            if leaf.kind in OPENERS:
                params = leaf.kind == "LPAR" and self.keyword in _WITH_PARAMETERS
                first = not any(isinstance(node, Bracket) for node in nodes)
                nodes.append(self.bracket(nodes, typed, params=params and first))
                continue
            if leaf.kind in ("COLON", "ARROW"):
                typed = True
            elif leaf.kind == "EQUAL":
                typed = self.keyword == "TYPE"
            nodes.append(leaf)
            self.at += 1
        return nodes

    def bracket(self, before: list[Node], typed: bool, params: bool = False) -> Bracket:
        """Reads from the opening bracket to the one that closes it."""
        opener = self.tokens[self.at]
        body = self.at == self.body
        bracket = Bracket(opener, _style(opener, before, typed, body), body)
        self.at += 1
        in_type = (typed and not body) or (body and self.keyword == "TYPE")
        element = Element()
        while (leaf := self.tokens[self.at]).kind not in CLOSERS:
            if leaf.kind == "COMMA":
                element.commas.append(leaf)
                self.at += 1
                in_type = in_type and not params
                continue
            if element.nodes and (element.commas or self.starts_element(bracket, element)):
                bracket.elements.append(element)
                element = Element()
            if leaf.kind in OPENERS:
                element.nodes.append(self.bracket(element.nodes, in_type))
                continue
            if leaf.kind == "COLON" and (params or (body and self.keyword == "PIPE")):
                in_type = True
            elif leaf.kind == "EQUAL":
                in_type = False
            element.nodes.append(leaf)
            self.at += 1
        if element.nodes:
            bracket.elements.append(element)
        bracket.closer = leaf
        self.at += 1
        return bracket

    def starts_element(self, bracket: Bracket, element: Element) -> bool:
        """Where commas may be left out: at a label, and in a pipe behind a flow."""
        leaf, before = self.tokens[self.at], last_leaf(element.nodes[-1])
        if bracket.body and self.keyword == "PIPE":
            ended = before.kind in ("NAME", "ATTR", "RPAR")
            return leaf.kind == "FLOW" or (leaf.kind == "NAME" and ended)
        return leaf.kind == "KEY"


def _body_index(tokens: list[Leaf]) -> int:
    """The bracket whose elements always stand a line each; -1 if there is none."""
    keyword = tokens[0].kind
    if keyword == "TYPE":
        return 3 if len(tokens) > 3 and tokens[3].kind == "LBRACE" else -1
    if keyword not in ("PROMPT", "PIPE", "TEST"):
        return -1
    depth, found = 0, -1
    for index, leaf in enumerate(tokens):
        if leaf.kind == "LBRACE" and depth == 0:
            found = index
        depth += (leaf.kind in OPENERS) - (leaf.kind in CLOSERS)
    return found


def _style(opener: Leaf, before: list[Node], typed: bool, body: bool) -> Style:
    if body:
        return "body"
    if opener.kind == "LBRACE":
        return "list"
    applied = bool(before) and _applied(last_leaf(before[-1]).kind, opener.kind)
    if opener.kind == "LSQB":
        return "group" if typed or applied else "list"
    return "list" if applied else "group"


def comments(nodes: list[Node]) -> Iterator[Comment]:
    """Every comment in some nodes, in order."""
    for node in nodes:
        yield from first_leaf(node).before
        yield from first_leaf(node).behind
        if isinstance(node, Bracket):
            yield from inner_comments(node)
            yield from node.closer.behind


def inner_comments(bracket: Bracket) -> Iterator[Comment]:
    for element in bracket.elements:
        yield from comments(element.nodes)
        for comma in element.commas:
            yield from (*comma.before, *comma.behind)
    yield from bracket.closer.before
