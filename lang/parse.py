"""Tokens to a syntax tree, by the LALR tables that Lark makes of ``grammar.lark``.

Each declaration is parsed alone. One that does not parse goes through ``recover`` and is parsed
again, so the parser itself never sees a mistake. Making the tables takes ten times as long as
loading them, so they are kept in ``grammar.json``; ``scripts/generate`` writes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from dpipe.lang import syntax
from dpipe.lang.automaton import Action, Automaton, Reduce
from dpipe.lang.build import DEEPEST_TREE, Builder, TooDeep
from dpipe.lang.diagnostics import Bag
from dpipe.lang.habits import habits
from dpipe.lang.layout import declarations, edition
from dpipe.lang.recover import recover
from dpipe.lang.scan import CLOSERS, OPENERS, Token, scan
from dpipe.lang.source import Source

if TYPE_CHECKING:
    from lark import Lark

DEEPEST = 100
_TABLES = "grammar.json"


def parse_module(source: Source, bag: Bag) -> syntax.Module:
    """The tree of one file. What does not parse is told to the bag and leaves ``Bad`` parts."""
    scanned = scan(source)
    span = source.span(0, len(source.text))
    number, readable = edition(scanned, bag)
    if not readable:
        return syntax.Module(file=source.file, edition=number, items=(), span=span)
    bag.extend(scanned.diagnostics)
    builder = Builder(source, bag)
    found = list(declarations(scanned, bag))
    told = [finding.span.start for finding in bag if finding.span.file == source.file]
    items = tuple(_item(tokens, builder, bag, told) for tokens in found)
    return syntax.Module(file=source.file, edition=number, items=items, span=span)


def _item(tokens: list[Token], builder: Builder, bag: Bag, told: list[int]) -> syntax.Item:
    source = builder.source_file
    if _too_deep(tokens, source, bag):
        return _bad_item(tokens, builder)
    tree = _tree(tokens)
    if tree is None and (mended := recover(tokens, _automaton(), source, bag, habits, told)):
        tree = _tree(mended)
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


# -- Lark ----------------------------------------------------------------------------------------


def _tree(tokens: list[Token]) -> Any:
    """Lark's tree of one declaration; None if it does not parse."""
    from lark import UnexpectedInput

    machine: Any = _lark().parse_interactive(start="item")
    feed = machine.feed_token
    try:
        for token in tokens:
            feed(token)
        return machine.feed_eof()
    except UnexpectedInput:
        return None


@cache
def _automaton() -> Automaton:
    conf = _lark().parse_interactive(start="item").parser_state.parse_conf
    table = {
        state: {kind: _action(argument) for kind, (_, argument) in row.items()}
        for state, row in conf.states.items()
    }
    return Automaton(table, conf.start_state, conf.end_state)


def _action(argument: Any) -> Action:
    if isinstance(argument, int):
        return argument
    return Reduce(len(argument.expansion), str(argument.origin.name))


@cache
def _lark() -> Lark:
    from lark import Lark

    kept = _kept()
    return Lark.load(_with_lexer(kept)) if kept is not None else _made(_grammar())


def _grammar() -> str:
    return (resources.files("dpipe.lang") / "grammar.lark").read_text("utf-8")


def _kept() -> dict[str, Any] | None:
    """What ``grammar.json`` holds, if it was made of this grammar by this Lark."""
    file = resources.files("dpipe.lang") / _TABLES
    if not file.is_file():
        return None
    kept: dict[str, Any] = json.loads(file.read_bytes())
    return kept if kept["of"] == _fingerprint(_grammar()) else None


def _made(grammar: str) -> Lark:
    from lark import Lark

    return Lark(
        grammar, parser="lalr", lexer=_lexer(), start=["item"], keep_all_tokens=True, strict=False
    )


def tables_are_current() -> bool:
    """Whether ``grammar.json`` is there and in step with the grammar and Lark."""
    return _kept() is not None


def _fingerprint(grammar: str) -> str:
    """What the tables hang on: the grammar and the version of Lark."""
    import lark

    return hashlib.sha256(f"{lark.__version__}\n{grammar}".encode()).hexdigest()


@cache
def _lexer() -> Any:
    """Lark asks for a lexer; the tokens come from ``scan``."""
    from lark.lexer import Lexer

    class Scanned(Lexer):
        def __init__(self, conf: Any) -> None:
            pass

        def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Any]:
            return iter(())

    return Scanned


def tables() -> str:
    """The text of ``grammar.json`` for the grammar as it is."""
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    grammar = _grammar()
    lark = _made(grammar)
    lark.options.options["lexer"] = lark.lexer_conf.lexer_type = "basic"
    data, memo = lark.memo_serialize([TerminalDef, Rule])
    kept = {"of": _fingerprint(grammar), "data": data, "memo": memo}
    return json.dumps(kept, separators=(",", ":")) + "\n"


def _with_lexer(kept: dict[str, Any]) -> Any:
    """Lark's own form again: whole numbers as keys, and our lexer."""
    data, memo = kept["data"], kept["memo"]
    data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = _lexer()
    table = data["parser"]["parser"]
    table["tokens"] = {int(key): value for key, value in table["tokens"].items()}
    table["states"] = {
        int(state): {int(token): action for token, action in row.items()}
        for state, row in table["states"].items()
    }
    return {"data": data, "memo": {int(key): value for key, value in memo.items()}}
