"""What prompts answer in a test, and which prompts a flow asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dpipe.lang import graph, syntax
from dpipe.lang.diagnostics import Label
from dpipe.lang.env import Env, Typed
from dpipe.lang.names import Decl, misspelt
from dpipe.lang.prompts import Prompts
from dpipe.lang.types import (
    Field,
    List,
    Record,
    Type,
    fits,
    required,
    show_found,
    show_short,
    without_ranges,
)

OUTCOMES = (
    "truncated",
    "malformed",
    "invalid",
    "empty",
    "refused",
    "filtered",
    "rejected_request",
    "unavailable",
)
"""How a reply ends that becomes no value."""


class Scripts:
    def __init__(self, prompts: Prompts) -> None:
        self.prompts = prompts
        self.expressions = prompts.expressions
        self.names = prompts.names
        self.bag = prompts.bag

    def answer(self, file: str, entry: syntax.Entry) -> graph.Answers | None:
        """A value, a list of them (one a call), or a lambda of the bound parameters."""
        word = entry.key.text
        decl = self.names.keyed(file, word)
        if decl is None or not isinstance(decl.item, syntax.PromptItem):
            known = self.names.of_kind(file, "prompt")
            misspelt(self.bag, "E0404", entry.key.span, word, f"no prompt `{word}`", known)
            return None
        prompt = self.prompts.declare(decl)
        value, listed = entry.value, False
        nodes: Sequence[syntax.Expr] = [value]
        if isinstance(value, syntax.ListExpr) and _one_a_call(value, prompt):
            nodes, listed = value.items, True
        each = tuple(self._one(node, Env(file, draws=True), decl, prompt) for node in nodes)
        return graph.Answers(prompt.name, each, listed)

    def _one(self, node: syntax.Expr, env: Env, decl: Decl, prompt: graph.PromptDef) -> graph.Expr:
        if not isinstance(node, syntax.Lambda):
            return self._value(node, env, decl, prompt)
        bound = Record(tuple(Field(param.name, param.type) for param in prompt.params))
        inner = env.binding(node.param.text, bound)
        return graph.Lambda(node.param.text, self._value(node.body, inner, decl, prompt))

    def _value(
        self, node: syntax.Expr, env: Env, decl: Decl, prompt: graph.PromptDef
    ) -> graph.Expr:
        """An answer of the prompt's type, or the outcome that a call ends in."""
        if isinstance(node, syntax.If):
            test, known = self.expressions.test(node.test, env, "`if`")
            then = self._value(node.then, env.knowing(known), decl, prompt)
            return graph.If(test.expr, then, self._value(node.otherwise, env, decl, prompt))
        if isinstance(node, syntax.Call) and _is_fail(node):
            return self._fail(node)
        found = self.expressions.of(node, env, prompt.result)
        if not will_fit(found, prompt.result):
            message = (
                f"prompt `{decl.name.text}` gives {show_short(prompt.result)}, "
                f"found {show_found(found.type, prompt.result)}{unlike(found.type, prompt.result)}"
            )
            labels = [Label(decl.name.span, "prompt declared here")]
            self.bag.add("E0803", found.span, message, labels=labels)
        return found.expr

    def _fail(self, node: syntax.Call) -> graph.Expr:
        shown = ", ".join(f'"{outcome}"' for outcome in OUTCOMES)
        args = [arg.value for arg in node.args if arg.label is None]
        outcome = args[0].constant if args and isinstance(args[0], syntax.StringExpr) else None
        if outcome is None or len(node.args) != 1:
            message = 'say how the call fails: `fail("truncated")`'
            self.bag.add("E0803", node.args_span, message, help=f"there is {shown}")
        elif outcome not in OUTCOMES:
            message = f'a call does not end in "{outcome}"'
            help = f"there is {shown}"
            span = args[0].span._replace(start=args[0].span.start + 1, end=args[0].span.end - 1)
            misspelt(self.bag, "E0803", span, outcome, message, OUTCOMES, help)
        return graph.Fail(outcome or "")


def will_fit(found: Typed, wanted: Type) -> bool:
    """Whether a value of a test fits, as far as the checker can say.

    Whether a computed number lies in its range is seen when the test runs.
    """
    return fits(found.type, wanted if _is_literal(found.expr) else without_ranges(wanted))


def unlike(found: Type, wanted: Type) -> str:
    """The first field in which a record is not like the one that is wanted."""
    if not isinstance(found, Record) or not isinstance(wanted, Record):
        return ""
    for field in wanted.fields:
        of = found.get(field.name)
        if not fits(Record((Field(field.name, of),) if of else ()), Record((field,))):
            if of is None:
                return f": it has no `{field.name}`"
            is_now = show_found(of, field.type)
            return f": `{field.name}` is {is_now}, declared {show_short(field.type)}"
    return ""


def _is_literal(expr: graph.Expr) -> bool:
    match expr:
        case graph.ListOf(items):
            return all(map(_is_literal, items))
        case graph.RecordOf(entries):
            return all(_is_literal(value) for _, value in entries)
        case graph.Unary(_, operand):
            return _is_literal(operand)
        case _:
            return isinstance(expr, graph.Const)


def _is_fail(node: syntax.Expr) -> bool:
    return (
        isinstance(node, syntax.Call)
        and isinstance(node.callee, syntax.NameRef)
        and node.callee.text == "fail"
    )


def _one_a_call(node: syntax.ListExpr, prompt: graph.PromptDef) -> bool:
    """Whether a list holds answers; where an answer is a list itself, it must hold lists."""
    result = required(prompt.result)
    if not isinstance(result, List):
        return True
    plain = not isinstance(result.of, List)
    several = (syntax.ListExpr, syntax.Lambda)
    return plain and bool(node.items) and all(
        isinstance(item, several) or _is_fail(item) for item in node.items
    )  # fmt: skip


# -- the prompts of a flow -----------------------------------------------------------------------


def prompts_asked(nodes: Sequence[graph.Node], end: int) -> Iterator[str]:
    """The prompts that are asked on the way to a node, in the order of the program."""
    for index in sorted(graph.needed(nodes, end)):
        yield from graph.prompts_of(nodes[index])
