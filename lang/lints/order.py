"""Lints of the order of stages: each saves calls, or a data set that is worse than it looks."""

from __future__ import annotations

from collections.abc import Iterator

from dpipe.lang import graph
from dpipe.lang.diagnostics import Edit, Fix, Label
from dpipe.lang.lints.demand import calls_of
from dpipe.lang.lints.origins import Origins
from dpipe.lang.lints.reading import fields_read, inside, made_of, name_of, written
from dpipe.lang.lints.subject import Subject
from dpipe.lang.types import Float, Int, Str, required

_CHEAP = ("exact", "minhash")
_MULTIPLY = ("chunk", "unnest")
_BOUNDS = ("limit", "sample", "select", "group")


def ask_before_filter(subject: Subject) -> None:
    """W0501: a filter that reads nothing of the ``ask`` before it, and could stand before it."""
    for at, node in subject.stages("where", "dedup"):
        ask = _passed(subject, at, node)
        if ask is None:
            continue
        subject.bag.add(
            "W0501",
            subject.span(at),
            f"`{node.stage}` reads nothing that `ask` gives: the rows that it drops are paid for",
            labels=[Label(subject.span(ask), "asked before it")],
            help=f"move the `{node.stage}` before the `ask`",
        )


def _passed(subject: Subject, at: int, node: graph.StageNode) -> int | None:
    """The topmost ``ask`` that a filter could be moved above without any other difference."""
    by = node.args.get("by")
    read = fields_read(node.args)
    if not read or (isinstance(by, graph.Method) and by.name not in _CHEAP):
        return None
    found, before = None, node.input
    while len(subject.readers[before]) == 1:
        above = subject.nodes[before]
        if not isinstance(above, graph.StageNode) or not _lets_pass(subject, node, above, read):
            break
        if above.stage == "ask" and subject.own(above):
            found = before
        before = above.input
    return found


def _lets_pass(
    subject: Subject, filter: graph.StageNode, above: graph.StageNode, read: set[str]
) -> bool:
    """Whether a filter comes to the same before a stage as behind it."""
    row = subject.row_before(above)
    if any(name not in row.names() for name in read):
        return False
    match above.stage:
        case "ask":
            return not read & written(above)
        case "set" | "keep":
            fields = above.args.get("fields")
            entries = dict(fields.entries) if isinstance(fields, graph.Fields) else {}
            return all(entries.get(name, graph.Field(name)) == graph.Field(name) for name in read)
        case "drop":
            return True
        case "where" | "sort":
            return filter.stage == "where"
        case "unnest" | "chunk" | "embed":
            made = {*written(above), name_of(above, "field")}
            return filter.stage == "where" and not read & made
        case _:
            return False


def no_dedup(subject: Subject) -> None:
    """W0502: what a model was asked for many times over is written without a ``dedup``."""
    origins = subject.origins
    for at, node in enumerate(subject.nodes):
        if not isinstance(node, graph.SinkNode) or node.fields is None or not subject.own(node):
            continue
        many = [each for each in subject.above(at, _distinct) if _repeats(subject, origins, each)]
        if many:
            _tell_no_dedup(subject, at, node, many[0])


def _distinct(node: graph.Node) -> bool:
    return isinstance(node, graph.StageNode) and node.stage in ("dedup", "group", "select")


def _repeats(subject: Subject, origins: Origins, at: int) -> bool:
    """Whether a stage makes rows of one list of answers, or asks the same for each row."""
    node = subject.nodes[at]
    if not isinstance(node, graph.StageNode):
        return False
    if node.stage == "unnest":
        of = origins.rows[node.input].get(name_of(node, "field"), frozenset())
        return any(_is_ask(subject, each) for each in of)
    calls = calls_of(node) if node.stage == "ask" else []
    return bool(calls) and not any(True for call in calls for _ in made_of(call.args))


def _is_ask(subject: Subject, at: int) -> bool:
    node = subject.nodes[at]
    return isinstance(node, graph.StageNode) and node.stage == "ask"


def _tell_no_dedup(subject: Subject, at: int, node: graph.SinkNode, many: int) -> None:
    texts = [expr.name for _, expr in node.fields or () if isinstance(expr, graph.Field)]
    shown = f".{texts[0]}" if texts else "…"
    stage = subject.nodes[many]
    what = "asks the same for each row"
    if isinstance(stage, graph.StageNode) and stage.stage == "unnest":
        what = "makes several rows of one answer"
    subject.bag.add(
        "W0502",
        subject.span(at),
        f"generated rows reach sink `{node.name}` without a `dedup`",
        labels=[Label(subject.span(many), f"this {what}")] if subject.own(stage) else [],
        help=f"models repeat themselves: add `| dedup({shown}, by: minhash())`",
    )


def split_leak(subject: Subject) -> None:
    """W0503: pieces of one document can land in both parts of a ``split``."""
    for at, node in subject.stages("split"):
        if "by" in node.args:
            continue
        cut = [each for each in subject.above(at, _grouped) if _multiplies(subject, each)]
        if not cut:
            continue
        key = _key(subject, at, node)
        fixes = []
        if key is not None:
            before = subject.label(at, "as")
            edit = Edit(before._replace(end=before.start), f"by: .{key}, ")
            fixes = [Fix(f"add `by: .{key}`", (edit,))]
        shown = subject.nodes[cut[0]]
        name = shown.stage if isinstance(shown, graph.StageNode) else "loop"
        subject.bag.add(
            "W0503",
            subject.span(at),
            f"rows that `{name}` made of one row can end up in both parts",
            labels=[Label(subject.span(cut[0]), "made here")] if subject.own(shown) else [],
            help=f"add `by: .{key or '…'}`: rows with equal values never part",
            fixes=fixes,
        )


def _grouped(node: graph.Node) -> bool:
    return isinstance(node, graph.StageNode) and node.stage == "group"


def _multiplies(subject: Subject, at: int) -> bool:
    node = subject.nodes[at]
    return isinstance(node, graph.StageNode) and node.stage in _MULTIPLY


def _key(subject: Subject, at: int, node: graph.StageNode) -> str | None:
    """A field that rows of one source row share: the first text that is still as it was read."""
    origins, before = subject.origins, subject.row_before(node)
    cut = {each for each in subject.above(at) if _multiplies(subject, each)}
    for name in ("path", "id", *before.names()):
        of, type = origins.rows[node.input].get(name, frozenset()), before.get(name)
        if not of or of & cut or type is None or not isinstance(required(type), Str | Int):
            continue
        if all(isinstance(subject.nodes[each], graph.SourceNode) for each in of):
            return name
    return None


def order_sensitive_dedup(subject: Subject) -> None:
    """W0505: rows have a score, and ``dedup`` keeps the first of equals instead of the best."""
    origins = subject.origins
    for at, node in subject.stages("dedup"):
        scores = set(_scores(subject, origins, node))
        if not scores:
            continue
        above = [subject.nodes[each] for each in subject.above(at)]
        sorts = [each for each in above if isinstance(each, graph.StageNode)]
        if any(each.stage == "sort" and fields_read(each.args) & scores for each in sorts):
            continue
        name = min(scores)
        subject.bag.add(
            "W0505",
            subject.span(at),
            f"`dedup` keeps the first of rows that are alike, whatever its `.{name}`",
            help=f"sort before it: `| sort(.{name}, desc: true)`",
        )


def _scores(subject: Subject, origins: Origins, node: graph.StageNode) -> Iterator[str]:
    """The row's numbers that are computed from answers, lengths aside."""
    for field in subject.row_before(node).fields:
        of = origins.rows[node.input].get(field.name, frozenset())
        asked = of and all(_is_ask(subject, each) for each in of)
        number = isinstance(required(field.type), Int | Float)
        if number and asked and not _is_length(subject, node.input, field.name):
            yield field.name


def _is_length(subject: Subject, at: int, name: str) -> bool:
    """Whether a field was last ``set`` by an expression with a ``len`` in it."""
    for each in [at, *subject.above(at)]:
        node = subject.nodes[each]
        fields = node.args.get("fields") if isinstance(node, graph.StageNode) else None
        entries = dict(fields.entries) if isinstance(fields, graph.Fields) else {}
        if isinstance(node, graph.StageNode) and node.stage == "set" and name in entries:
            calls = [part for part in inside(entries[name]) if isinstance(part, graph.Call)]
            return any(call.function == "len" for call in calls)
    return False


def growing_loops(subject: Subject) -> None:
    """W0511: each round of a loop makes more rows of each, and nothing bounds them."""
    for at, node in enumerate(subject.nodes):
        if not isinstance(node, graph.LoopNode) or node.keep != "all" or not subject.own(node):
            continue
        body = [node.exit, *_body(subject, node)]
        stages = [subject.nodes[each] for each in body]
        named = {each.stage for each in stages if isinstance(each, graph.StageNode)}
        wide = [each for each in body if _broadens(subject, each, body, node.entry)]
        times = subject.constant(node.times)
        if wide and not named & set(_BOUNDS) and not (isinstance(times, int) and times < 2):
            subject.bag.add(
                "W0511",
                subject.span(at),
                "each round makes more rows of each row, and nothing bounds them",
                labels=[Label(subject.span(wide[0]), "more rows here")]
                if subject.own(subject.nodes[wide[0]])
                else [],
                help="end the pipe with `| limit(share: 0.2)` or `| sample(n)`",
            )


def _body(subject: Subject, loop: graph.LoopNode) -> list[int]:
    """The nodes between a loop's entry and its exit."""
    inside = subject.above(loop.exit, lambda node: isinstance(node, graph.EntryNode))
    return [at for at in inside if _hangs_on(subject, at, loop.entry)]


def _hangs_on(subject: Subject, at: int, entry: int) -> bool:
    return at == entry or entry in subject.above(at)


def _broadens(subject: Subject, at: int, body: list[int], entry: int) -> bool:
    node = subject.nodes[at]
    if isinstance(node, graph.ConcatNode):
        return sum(_hangs_on(subject, each, entry) for each in node.inputs) > 1
    return _multiplies(subject, at)
