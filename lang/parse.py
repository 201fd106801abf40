"""Text to a syntax tree.

Each declaration is parsed alone. One that does not parse goes through ``recover`` and is parsed
again, so the parser itself never sees a mistake.
"""

from __future__ import annotations

from functools import cache

from dpipe.lang import syntax
from dpipe.lang.automaton import Automaton
from dpipe.lang.build import DEEPEST_TREE, Builder, TooDeep
from dpipe.lang.diagnostics import Bag
from dpipe.lang.habits import habits
from dpipe.lang.layout import declarations, edition
from dpipe.lang.pieces import Piece, Pieces
from dpipe.lang.recover import recover
from dpipe.lang.scan import CLOSERS, OPENERS, Token, Tokens, scan, stretches
from dpipe.lang.source import Source
from dpipe.lang.tables import tables

DEEPEST = 100


def parse_module(source: Source, bag: Bag) -> syntax.Module:
    """The tree of one file. What does not parse is told to the bag and leaves ``Bad`` parts."""
    module, _ = read_module(source, bag, {})
    return module


def read_module(source: Source, bag: Bag, before: Pieces) -> tuple[syntax.Module, Pieces]:
    """The tree of one file, and the pieces that it is made of.

    A stretch whose text is among the pieces ``before`` is taken from there, and not read again.
    """
    head, *others = stretches(source)
    scanned, found = scan(source, *head), Bag()
    number, readable = edition(scanned, found)
    first = _read(scanned, head[0], found) if readable else Piece(0, (), tuple(found))
    kept: dict[str, Piece] = {}
    pieces = [first]
    for start, end in others if readable else ():
        text = source.text[start:end]
        known = before.get(text)
        piece = known.moved(start) if known else _read(scan(source, start, end), start, Bag())
        kept[text] = piece
        pieces.append(piece)
    for piece in pieces:
        bag.extend(piece.findings)
    items = tuple(item for piece in pieces for item in piece.items)
    span = source.span(0, len(source.text))
    return syntax.Module(file=source.file, edition=number, items=items, span=span), kept


def _read(scanned: Tokens, start: int, bag: Bag) -> Piece:
    """The stretch from ``start`` on; what is wrong with it goes to the bag."""
    bag.extend(scanned.diagnostics)
    builder = Builder(scanned.source, bag)
    found = list(declarations(scanned, bag))
    told = [finding.span.start for finding in bag]
    items = tuple(_item(tokens, builder, bag, told) for tokens in found)
    return Piece(start, items, tuple(bag))


def _item(tokens: list[Token], builder: Builder, bag: Bag, told: list[int]) -> syntax.Item:
    source = builder.source_file
    if _too_deep(tokens, source, bag):
        return _bad_item(tokens, builder)
    automaton = _automaton()
    tree = automaton.tree(tokens)
    if tree is None and (mended := recover(tokens, automaton, source, bag, habits, told)):
        tree = automaton.tree(mended)
    if tree is None:
        return _bad_item(tokens, builder)
    try:
        item: syntax.Item = builder.build(tree)
    except TooDeep:
        _tell_too_deep(tokens[0], source, bag, DEEPEST_TREE)
        return _bad_item(tokens, builder)
    nameless = not isinstance(item, syntax.TestItem | syntax.BadItem) and not item.name.text
    return _bad_item(tokens, builder) if nameless else item


def _bad_item(tokens: list[Token], builder: Builder) -> syntax.BadItem:
    """Keeps the declared name, so that what refers to it is not told as unknown."""
    names = (token for token in tokens[1:3] if token.type in ("NAME", "KEY"))
    name = next(names, None)
    return syntax.BadItem(
        kind=tokens[0].text,
        name=builder.word(name) if name else None,
        span=builder.over(tokens),
    )


def _too_deep(tokens: list[Token], source: Source, bag: Bag) -> bool:
    depth = 0
    for token in tokens:
        depth += (token.type in OPENERS) - (token.type in CLOSERS)
        if depth > DEEPEST:
            _tell_too_deep(token, source, bag, DEEPEST)
            return True
    return False


def _tell_too_deep(token: Token, source: Source, bag: Bag, limit: int) -> None:
    message = f"nested more than {limit} deep"
    help = "name a part of it in a declaration of its own"
    bag.add("E0119", source.span(token.start, token.end), message, help=help)


@cache
def _automaton() -> Automaton:
    return Automaton(tables())
