"""A trace as facts for people: the steps of rows, and where their ways ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from dpipe.lang import graph
from dpipe.lang.graph import Node, Place, SinkNode, SourceNode, StageNode, label_of
from dpipe.runtime.answerers import Topology, bind
from dpipe.runtime.assembly import Frame
from dpipe.runtime.paths import display
from dpipe.runtime.plan import only_looked_at
from dpipe.runtime.tracing.answers import Bindings, Said, answer_of
from dpipe.runtime.tracing.attempts import Calls
from dpipe.runtime.tracing.facts import Change, Ending, Question, Step
from dpipe.runtime.tracing.lineage import Id
from dpipe.runtime.tracing.watching import Heard, Trace
from dpipe.runtime.voices import Vectors

_REASONS = {
    "where": "filtered",
    "dedup": "duplicate",
    "decontaminate": "contaminated",
    "join": "unmatched",
    "unnest": "empty",
    "chunk": "empty",
    "ask": "outvoted",
    "python": "python",
}
"""Why a row that a stage has taken did not leave it, and did not fail; else it is surplus."""

Lines = Callable[[Place], str]
"""The line of a program's text."""


class Teller:
    """Tells what a trace shows of the rows that it has kept."""

    def __init__(
        self, frame: Frame, trace: Trace, calls: Calls, vectors: Vectors, lines: Lines
    ) -> None:
        self._frame = frame
        self._trace = trace
        self._dropped = trace.dropped()
        self._calls = calls
        self._vectors = vectors
        self._lines = lines
        self._topologies: dict[int, Topology] = {}
        self._order = sorted(trace.rows, key=lambda id: (trace.lineage.node_of(id), id))
        self._numbers = {id: number for number, id in enumerate(self._order, 1)}
        self._children: dict[Id, list[Id]] = defaultdict(list)
        for id in self._order:
            for parent in trace.lineage.parents_of(id):
                self._children[parent].append(id)

    def steps(self) -> tuple[Step, ...]:
        """All rows, those of earlier nodes first."""
        return tuple(map(self._step, self._order))

    def endings(self) -> tuple[Ending, ...]:
        """Where the ways of the rows end, in the order of the rows."""
        return tuple(ending for id in self._order for ending in self._endings(id))

    def ending_at(self, node: int, id: Id) -> Ending:
        """How a row failed at a node."""
        return self._failed(id, node)

    # -- rows ------------------------------------------------------------------------------------

    def _step(self, id: Id) -> Step:
        row = self._trace.rows[id]
        index = self._trace.lineage.node_of(id)
        node = self._node(index)
        parents = self._trace.lineage.parents_of(id)
        kept = [parent for parent in parents if parent in self._trace.rows]
        before = self._trace.rows[kept[0]].values if kept else {}
        questions = self._questions(index, kept[0]) if kept else ()
        return Step(
            id=self._numbers[id],
            stage=label_of(node),
            at=self._at(node),
            place=row.place,
            parents=tuple(self._numbers[p] for p in parents if p in self._numbers),
            values=dict(row.values),
            added=_added(before, row.values) if kept else {},
            changed=_changed(before, row.values) if kept else {},
            removed=tuple(name for name in before if name not in row.values),
            questions=questions,
            note=_note(node, parents, questions),
        )

    def _node(self, index: int) -> Node:
        return self._frame.program.nodes[index]

    def _at(self, node: Node) -> str:
        return self.place(node.place)

    def place(self, place: Place) -> str:
        """A place of the program's text, as seen from the project."""
        if place.file.startswith("<"):
            return str(place)
        return f"{display(Path(place.file), self._frame.project.root)}:{place.line}"

    # -- questions -------------------------------------------------------------------------------

    def _questions(self, index: int, row: Id) -> tuple[Question, ...]:
        """What was asked of a row at a node: one question, or with ``over:`` one an element."""
        heard = self._trace.calls.get((index, row), [])
        if not heard:
            return ()
        node = self._node(index)
        assert isinstance(node, StageNode)
        put = _by_question(heard)
        listed = "over" in node.args
        return tuple(
            question
            for at, one in enumerate(put)
            if (question := self._question(index, row, one, at if listed else None)) is not None
        )

    def _question(
        self, index: int, row: Id, heard: list[Heard], element: int | None
    ) -> Question | None:
        said = Said(dict(self._trace.rows[row].values), heard, self._vectors)
        answer = answer_of(self._topology(index), said, self._calls.behind)
        put = heard[0].query.question
        if answer is None:
            return None
        return Question(put.prompt, put.messages, put.raw, answer, element)

    def _topology(self, index: int) -> Topology:
        if index not in self._topologies:
            node = self._node(index)
            assert isinstance(node, StageNode)
            using: Any = node.args["using"]
            bindings = Bindings(self._frame.expressions, self._calls.endpoints.sampling)
            self._topologies[index] = bind(using, bindings)[0]
        return self._topologies[index]

    # -- endings ---------------------------------------------------------------------------------

    def _endings(self, id: Id) -> Iterator[Ending]:
        index = self._trace.lineage.node_of(id)
        if (index, id) in self._trace.rejects:  # a record that could not be read
            yield self._rejected(id, index)
            return
        went_on = {self._trace.lineage.node_of(child) for child in self._children[id]}
        for edge in self._frame.wiring.readers[index]:
            reader = edge.reader
            if (reader, id) in self._trace.rejects:
                yield self._rejected(id, reader)
            elif reader not in went_on and id not in self._trace.leavers:
                yield self._ended(
                    id, reader, looked_at=only_looked_at(self._node(reader), edge.slot)
                )

    def _rejected(self, id: Id, index: int) -> Ending:
        if self._dropped(index, id):
            return self._ended(id, index, looked_at=False)
        return self._failed(id, index)

    def _failed(self, id: Id, index: int) -> Ending:
        reject = self._trace.rejects[index, id]
        node = self._node(index)
        return Ending(
            row=self._numbers[id],
            stage=label_of(node),
            at=self._at(node),
            reason="failed",
            outcome=reject.outcome,
            message=reject.message,
            reply=reject.reply,
            code=self._lines(node.place),
            looked_at=self._looked_at(node, id),
            questions=self._questions(index, id),
        )

    def _ended(self, id: Id, index: int, *, looked_at: bool) -> Ending:
        node = self._node(index)
        reason = "looked at" if looked_at else self._reason(id, index, node)
        file, record = self._record(id) if reason == "written" else (None, None)
        return Ending(
            row=self._numbers[id],
            stage=label_of(node),
            at=self._at(node),
            reason=reason,
            code=self._lines(node.place),
            looked_at={} if reason in ("written", "surplus") else self._looked_at(node, id),
            like=self._trace.originals.get((index, id)),
            file=file,
            record=record,
            questions=() if reason == "surplus" else self._questions(index, id),
        )

    def _reason(self, id: Id, index: int, node: Node) -> str:
        if (index, id) not in self._trace.entered or self._dropped(index, id):
            return "surplus"
        if isinstance(node, SinkNode):
            return "counted" if node.metrics else "written"
        return _REASONS.get(node.stage, "surplus") if isinstance(node, StageNode) else "surplus"

    def _record(self, id: Id) -> tuple[str | None, int | None]:
        for file, ids in self._trace.written.items():
            if id in ids:
                return display(file, self._frame.project.root), ids.index(id) + 1
        return None, None

    def _looked_at(self, node: Node, id: Id) -> dict[str, Any]:
        values = self._trace.rows[id].values
        return {name: values[name] for name in dict.fromkeys(fields_of(node)) if name in values}


def _by_question(heard: Iterable[Heard]) -> list[list[Heard]]:
    """What was heard, by the question that it answers, in the order of the questions."""
    found: dict[int, list[Heard]] = {}
    for one in heard:
        found.setdefault(id(one.query.question), []).append(one)
    return list(found.values())


def _added(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in after.items() if name not in before}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Change]:
    return {
        name: Change(before[name], value)
        for name, value in after.items()
        if name in before and before[name] is not value and before[name] != value
    }


def _note(node: Node, parents: tuple[Id, ...], questions: tuple[Question, ...]) -> str:
    if isinstance(node, StageNode):
        if node.stage == "python":
            return "made by Python, which does not tell of which rows"
        if node.stage == "group":
            return f"made of {len(parents)} row{'s' * (len(parents) != 1)}"
        if node.stage == "ask" and not questions:
            return "not asked" if "over" in node.args else "not asked, for `when:` did not hold"
    return ""


def fields_of(node: Node) -> Iterator[str]:
    """The fields of its row that a node reads, its prompts aside."""
    if isinstance(node, StageNode):
        for name, arg in node.args.items():
            if node.stage == "unnest" and name == "field" and isinstance(arg, graph.Const):
                yield str(arg.value)
            if name not in ("prompt", "using"):
                yield from _fields(arg)
    elif not isinstance(node, SourceNode):
        yield from _fields(node)


def _fields(part: Any) -> Iterator[str]:
    if isinstance(part, graph.Field):
        yield part.name
    elif isinstance(part, Struct):
        for name in part.__struct_fields__:
            yield from _fields(getattr(part, name))
    elif isinstance(part, list | tuple):
        for one in part:
            yield from _fields(one)
    elif isinstance(part, dict):
        yield from _fields(list(part.values()))
