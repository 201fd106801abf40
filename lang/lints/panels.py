"""Lints of who answers: panels that cannot decide, judges that judge themselves, idle cascades."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

from dpipe.lang import graph, syntax
from dpipe.lang.diagnostics import Label
from dpipe.lang.lints.demand import calls_of
from dpipe.lang.lints.results import is_score
from dpipe.lang.lints.subject import Subject
from dpipe.lang.source import Span
from dpipe.lang.types import Bool, List, Optional, Record, Type

_ANSWERERS = get_args(graph.Answerer)


def judge_is_author(subject: Subject) -> None:
    """W0506: a model scores what it wrote itself."""
    origins = subject.origins
    for at, node in subject.stages("ask"):
        if not _judges(subject, node):
            continue
        for call in calls_of(node):
            for author in sorted({one for arg in call.args for one in origins.of(arg, node.input)}):
                wrote = subject.nodes[author]
                if isinstance(wrote, graph.StageNode) and wrote.stage == "ask" and wrote != node:
                    _compare(subject, at, node, author, wrote)


def _compare(
    subject: Subject, at: int, judge: graph.StageNode, author: int, wrote: graph.StageNode
) -> None:
    if _judges(subject, wrote):
        return  # a judgement that is judged again
    models = subject.graph.models
    written = {models[one.model].id for one in _ones(wrote.args.get("using"))}
    both = [one for one in _ones(judge.args.get("using")) if models[one.model].id in written]
    if not both:
        return
    name = models[both[0].model].name
    subject.bag.add(
        "W0506",
        _using(subject, at),
        f"`{name}` judges what it wrote itself",
        labels=[Label(_using(subject, author), "written here")] if subject.own(wrote) else [],
        help="models prefer their own texts: let another model judge",
    )


def _judges(subject: Subject, node: graph.StageNode) -> bool:
    """Whether an answer is a score or a verdict, or a record that has one."""
    calls = calls_of(node)
    return bool(calls) and is_judgement(subject.graph.prompts[calls[0].prompt].result)


def is_judgement(of: Type) -> bool:
    while isinstance(of, List | Optional):
        of = of.of
    if isinstance(of, Record):
        return any(is_score(f.type) or isinstance(f.type, Bool) for f in of.fields)
    return is_score(of) or isinstance(of, Bool)


def even_panels(subject: Subject) -> None:
    """W0507: a vote that can tie, and does not say what then."""
    for call in _written(subject, "vote"):
        given = _labels(call)
        members = call.args[0].value if call.args else None
        if not isinstance(members, syntax.ListExpr) or {"tie", "weights"} & given.keys():
            continue
        votes = len(members.items) * _number(given.get("n"), 1)
        decides = "quorum" in given and _number(given["quorum"], 0) * 2 > votes
        if votes > 0 and votes % 2 == 0 and not decides:
            subject.bag.add(
                "W0507",
                call.callee.span,
                f"a vote of {votes} can tie, and a tie drops the row",
                help='ask one more model, or say what a tie is: `tie: m`, `tie: "drop"` or '
                '`tie: "null"`',
            )


def _number(node: syntax.Expr | None, default: int) -> int:
    """A written number; 0 for what is no number, so that nothing is told of it."""
    if node is None:
        return default
    if isinstance(node, syntax.Literal) and isinstance(node.value, int):
        return node.value
    return 0


def same_family_panels(subject: Subject) -> None:
    """W0508: judges that are all one model agree for the wrong reason."""
    for at, node in subject.stages("ask"):
        using = node.args.get("using")
        if not isinstance(using, graph.Vote | graph.Poll) or not _judges(subject, node):
            continue
        ones = [member for member in using.members if isinstance(member, graph.One)]
        ids = {str(subject.graph.models[one.model].id) for one in ones}
        if len(ones) == len(using.members) > 1 and len(ids) == 1:
            name = subject.graph.models[ones[0].model].name
            judges = "both judges" if len(ones) == 2 else f"all {len(ones)} judges"
            subject.bag.add(
                "W0508",
                _using(subject, at),
                f"{judges} are `{name}`: they share its mistakes",
                help="ask models of different families",
            )


def idle_cascades(subject: Subject) -> None:
    """W0509: a cascade whose next model costs no more than the one before it."""
    for at, _, using in _answerers(subject):
        if not isinstance(using, graph.Cascade) or using.accept is None:
            continue
        for small, large in zip(using.members, using.members[1:], strict=False):
            cheap, dear = _price(subject, small), _price(subject, large)
            if cheap is None or dear is None or not _at_least(cheap, dear):
                continue
            one, two = _model(subject, small), _model(subject, large)
            subject.bag.add(
                "W0509",
                _using(subject, at),
                f"`{one}` costs as much as `{two}`, which is asked after it",
                help=f"ask `{two}` alone, or put the cheaper model first",
            )


def _price(subject: Subject, member: graph.Answerer) -> tuple[float, ...] | None:
    """A model's prices of input and output, where the program has both."""
    if not isinstance(member, graph.One):
        return None
    price = dict(subject.graph.models[member.model].options).get("price")
    if not isinstance(price, graph.RecordOf):
        return None
    entries = dict(price.entries)
    found = [subject.constant(entries.get(name)) for name in ("input", "output")]
    return tuple(f for f in found if isinstance(f, int | float)) if None not in found else None


def _at_least(one: Sequence[float], two: Sequence[float]) -> bool:
    return all(a >= b for a, b in zip(one, two, strict=True))


def _model(subject: Subject, member: graph.Answerer) -> str:
    assert isinstance(member, graph.One)
    return subject.graph.models[member.model].name


def greedy_rollouts(subject: Subject) -> None:
    """W0510: the same asked several times at temperature 0 is one answer."""
    for at, _, using in _answerers(subject):
        if not isinstance(using, graph.All | graph.Poll | graph.Vote):
            continue
        n = subject.constant(using.n)
        for member in using.members:
            if not isinstance(member, graph.One) or _temperature(subject, member) != 0:
                continue
            times = using.members.count(member) * (n if isinstance(n, int) else 1)
            if times > 1:
                subject.bag.add(
                    "W0510",
                    _using(subject, at),
                    f"at temperature 0 `{_model(subject, member)}` gives {times} equal answers",
                    help="ask once, or raise the temperature",
                )


def _temperature(subject: Subject, one: graph.One) -> object:
    declared = dict(subject.graph.models[one.model].options)
    return subject.constant({**declared, **dict(one.options)}.get("temperature"))


# -- what asks are given -------------------------------------------------------------------------


def _answerers(subject: Subject) -> Iterator[tuple[int, graph.StageNode, graph.Answerer]]:
    """The answerers of each ``ask``, those inside others too."""
    for at, node in subject.stages("ask"):
        waiting = [node.args.get("using")]
        while waiting:
            using = waiting.pop(0)
            if isinstance(using, _ANSWERERS):
                yield at, node, using
            waiting += list(getattr(using, "members", ()))


def _ones(using: object) -> list[graph.One]:
    if isinstance(using, graph.One):
        return [using]
    return [one for member in getattr(using, "members", ()) for one in _ones(member)]


def _using(subject: Subject, at: int) -> Span:
    node = subject.arg(at, "using")
    return node.span if node is not None else subject.span(at)


def _written(subject: Subject, name: str) -> Iterator[syntax.Call]:
    """The calls of an answerer in the user's programs: in ``using:`` and in ``model``."""
    for decl in subject.declared(syntax.ModelItem):
        assert isinstance(decl.item, syntax.ModelItem)
        yield from _calls(decl.item.value, name)
    for at, _ in subject.stages("ask"):
        using = subject.arg(at, "using")
        if using is not None:
            yield from _calls(using, name)


def _calls(node: syntax.Expr, name: str) -> Iterator[syntax.Call]:
    if isinstance(node, syntax.ListExpr):
        for item in node.items:
            yield from _calls(item, name)
    elif isinstance(node, syntax.Call):
        if isinstance(node.callee, syntax.NameRef) and node.callee.text == name:
            yield node
        for arg in node.args:
            yield from _calls(arg.value, name)


def _labels(call: syntax.Call) -> dict[str, syntax.Expr]:
    return {arg.label.text: arg.value for arg in call.args if arg.label is not None}
