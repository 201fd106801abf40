"""Lints of what prompts are given: row data where it can give orders, texts without an end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from dpipe.lang import graph, syntax
from dpipe.lang.diagnostics import Label
from dpipe.lang.lints.demand import calls_of
from dpipe.lang.lints.origins import Origins
from dpipe.lang.lints.reading import Path, Scope, made_of, path_of
from dpipe.lang.lints.subject import Subject
from dpipe.lang.modules import STD
from dpipe.lang.types import Bool, Enum, Float, Int, List, Optional, Record, Type

_DOCUMENTS = re.compile(r"dpipe\.runtime\.sources\.(?:text|markdown|html|docx|pdf):")
_LITERAL = "dpipe.runtime.sources.rows:read"
_OPENS = re.compile(r"""(?:<[^<>\n]+>|`{3,}\w*|"{1,3}|'{1,3}|[“„«\[({]|[-=*#_~]{3,})\s*$""")
_CLOSES = re.compile(r"""\s*(?:</?[^<>\n]+>|`{3,}|"|'|[”“»\])}]|[-=*#_~]{3,})""")

Test = Callable[[graph.Expr, int, Scope], bool]
Shown = tuple[syntax.Placeholder, syntax.StringExpr, int]


def placeholders_in_system(subject: Subject) -> None:
    """W0405: a row's own words in ``system:`` can give the model orders."""
    origins = subject.origins

    def is_data(expr: graph.Expr, before: int, scope: Scope) -> bool:
        return any(_is_words(subject, origins, before, path) for path in made_of(expr, scope))

    for shown, _, ask in _placeholders(subject, ("system",), is_data):
        name = shown.path[0].text
        subject.bag.add(
            "W0405",
            shown.span,
            f"`{{{name}}}` puts the row's own words into `system:`, where they can give orders",
            labels=[Label(subject.span(ask), f"`{name}` is bound to the row here")],
            help="move it to `user:`; params, numbers and enums may stand here",
        )


def _is_words(subject: Subject, origins: Origins, before: int, path: Path) -> bool:
    """Whether a place of a row holds what the program does not choose among."""
    of = _type_at(subject.nodes[before].row, path)
    if isinstance(of, Enum | Int | Float | Bool):
        return False
    sources = [subject.nodes[at] for at in origins.rows[before].get(path[0], ())]
    return not sources or not all(
        isinstance(node, graph.SourceNode) and node.target == _LITERAL for node in sources
    )


def _type_at(of: Type | None, path: Path) -> Type | None:
    for name in path:
        of = _plain(of)
        if not isinstance(of, Record):
            return of
        of = of.get(name)
    return _plain(of)


def _plain(of: Type | None) -> Type | None:
    while isinstance(of, Optional | List):
        of = of.of
    return of


def undelimited_data(subject: Subject) -> None:
    """W0406: a whole document among the prompt's own words, with nothing round it."""
    origins = subject.origins

    def is_document(expr: graph.Expr, before: int, scope: Scope) -> bool:
        return any(_is_text(subject, at) for at in origins.of(expr, before))

    for shown, text, ask in _placeholders(subject, ("user",), is_document):
        if _is_delimited(text, shown):
            continue
        name = shown.path[0].text
        subject.bag.add(
            "W0406",
            shown.span,
            f"`{{{name}}}` is a whole text among the words of the prompt",
            labels=[Label(subject.span(ask), "a document or a piece of one is given here")],
            help=f"put it between tags on lines of their own: `<{name}>`, `{{{name}}}`, "
            f"`</{name}>`",
        )


def _is_text(subject: Subject, at: int) -> bool:
    match subject.nodes[at]:
        case graph.SourceNode(target=target):
            return _DOCUMENTS.match(target) is not None
        case graph.StageNode(stage="chunk"):
            return True
        case _:
            return False


def _is_delimited(text: syntax.StringExpr, shown: syntax.Placeholder) -> bool:
    """Whether it stands alone, between marks, or behind a `…:` to the end."""
    at = text.parts.index(shown)
    before = text.parts[at - 1] if at else ""
    after = text.parts[at + 1] if at + 1 < len(text.parts) else ""
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    alone = len(text.parts) - sum(isinstance(part, str) for part in text.parts) == 1
    if alone and not before.strip() and not after.strip():
        return True
    last = at + 2 >= len(text.parts) and not after.strip()
    if last and before.rstrip().endswith(":"):
        return True
    return bool(_OPENS.search(before)) and (last or bool(_CLOSES.match(after)))


def _placeholders(subject: Subject, roles: tuple[str, ...], test: Test) -> Iterator[Shown]:
    """Placeholders of the user's prompts that an ``ask`` fills with what passes a test."""
    told: set[syntax.Placeholder] = set()
    asks = (
        (at, node) for at, node in enumerate(subject.nodes) if isinstance(node, graph.StageNode)
    )
    for ask, node in asks:
        for call in calls_of(node):
            prompt = subject.graph.prompts[call.prompt]
            item = subject.item_at(prompt.place)
            if not isinstance(item, syntax.PromptItem) or item.span.file not in _own(subject):
                continue
            scope = _scope(node, call)
            bound = {p.name: arg for p, arg in zip(prompt.params, call.args, strict=True)}
            types = {p.name: p.type for p in prompt.params}
            for shown, text in _shown(item, roles):
                name = shown.path[0].text
                if name not in bound or shown in told or not _is_open(types[name], shown):
                    continue
                if test(bound[name], node.input, scope):
                    told.add(shown)
                    yield shown, text, ask


def _own(subject: Subject) -> set[str]:
    return {file for file in subject.program.modules if not file.startswith(STD)}


def _scope(node: graph.StageNode, call: graph.PromptCall) -> Scope:
    """What the element of ``over:`` is, if it is a place of the row."""
    over = node.args.get("over")
    if call.each is None or not isinstance(over, graph.Expr):
        return {}
    return {call.each: path_of(over, {})}


def _is_open(of: Type, shown: syntax.Placeholder) -> bool:
    """Whether a placeholder's own type leaves open what it says."""
    path = tuple(name.text for name in shown.path[1:])
    return not isinstance(_type_at(of, path), Enum | Int | Float | Bool)


def _shown(
    item: syntax.PromptItem, roles: tuple[str, ...]
) -> Iterator[tuple[syntax.Placeholder, syntax.StringExpr]]:
    for entry in item.entries:
        if entry.key.text in roles and isinstance(entry.value, syntax.StringExpr):
            for part in entry.value.parts:
                if isinstance(part, syntax.Placeholder):
                    yield part, entry.value
