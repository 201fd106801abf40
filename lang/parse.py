"""Tokens to a syntax tree, by the LALR tables that Lark makes of ``grammar.lark``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from dpipe.lang import syntax
from dpipe.lang.build import Builder
from dpipe.lang.diagnostics import Bag
from dpipe.lang.scan import CLOSERS, Token, Tokens, scan
from dpipe.lang.source import Source

if TYPE_CHECKING:
    from lark import Lark

EDITION = 1


def parse_module(source: Source, bag: Bag) -> syntax.Module:
    """The tree of one file; what does not parse is told to the bag and left out."""
    tokens = scan(source)
    bag.extend(tokens.diagnostics)
    builder = Builder(source, bag)
    declarations = list(_declarations(tokens))
    if declarations and declarations[0][0].type == "DPIPE":
        del declarations[0]
    items = tuple(_item(declaration, builder, bag) for declaration in declarations)
    return syntax.Module(
        file=source.file, edition=1, items=items, span=source.span(0, len(source.text))
    )


def _declarations(tokens: Tokens) -> Iterator[list[Token]]:
    """Each declaration's tokens: one starts at every token in column 1 that closes nothing."""
    text = tokens.source.text
    declaration: list[Token] = []
    for token in tokens.tokens:
        start = token.start
        if (not start or text[start - 1] == "\n") and token.type not in CLOSERS:
            if declaration:
                yield declaration
            declaration = []
        declaration.append(token)
    if declaration:
        yield declaration


def _item(tokens: list[Token], builder: Builder, bag: Bag) -> syntax.Item:
    from lark import UnexpectedInput

    try:
        return builder.build(_tree(tokens))
    except UnexpectedInput as unexpected:
        token = getattr(unexpected, "token", tokens[-1])
        token = token if isinstance(token, Token) else tokens[-1]
        bag.add("E0113", builder.at(token), f"unexpected `{token.text}`")
    name = next((t for t in tokens[1:2] if t.type in ("NAME", "KEY")), None)
    return syntax.BadItem(
        kind=tokens[0].text, name=builder.word(name) if name else None, span=builder.over(tokens)
    )


def _tree(tokens: list[Token]) -> Any:
    machine = _lark().parse_interactive(start="item")
    feed: Any = machine.feed_token
    for token in tokens:
        feed(token)
    return machine.feed_eof()


@cache
def _lark() -> Lark:
    from lark import Lark
    from lark.lexer import Lexer

    class Given(Lexer):
        """The tokens come from ``scan``."""

        def __init__(self, conf: Any) -> None:
            pass

        def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Any]:
            return iter(())

    grammar = (resources.files("dpipe.lang") / "grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", lexer=Given, start=["item"], keep_all_tokens=True)
