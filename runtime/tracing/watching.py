"""What is seen of a run: which rows each node was given, which it handed on, made of which.

Everything is numbered, and little kept: of the rows that are ``wanted`` what they held, where
they ended, and what was asked for them. So a run is gone through twice, first to learn which rows
are of interest.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, Self

from msgspec import Struct
from msgspec.structs import replace

from dpipe.lang import graph
from dpipe.runtime.answerers import Failed, Value
from dpipe.runtime.asking import Query
from dpipe.runtime.equality import frozen
from dpipe.runtime.stages.matches import Matches
from dpipe.runtime.tracing.lineage import Id, Lineage
from dpipe.runtime.tracing.marks import NOWHERE, Mark, id_of, marked
from dpipe.runtime.values import Batch, Item, Leaver, Reject, Row


class Kept(Struct, frozen=True):
    """A row as it left a node."""

    values: Mapping[str, Any]
    place: str


class Heard(Struct, frozen=True):
    """A question that was put to a model for a row, and what came of it."""

    query: Query
    result: Value | Failed


class Trace:
    """What one time through a run has shown.

    Numbers stand for rows as they left a node. By the node that a row came to and its number are
    ``entered``, ``rejects``, ``calls`` and ``originals``, the places of the rows that duplicates
    are like; ``unwanted`` is the last row that went on where nobody read on. ``leavers`` have left
    a loop. ``written`` are the records of each file, ``rejected`` those of each sink's rejects,
    with the node where each ended. ``found`` are the rows of sources whose places are ``sought``,
    ``unanswered`` the keys of questions that no endpoint answered, each with the node and the
    first row that it was put for; ``failed`` are the nodes and rows of all rejects.
    """

    def __init__(
        self,
        nodes: int,
        wanted: frozenset[Id] = frozenset(),
        sought: Callable[[str], bool] | None = None,
    ) -> None:
        self.lineage = Lineage(nodes)
        self.wanted = wanted
        self.rows: dict[Id, Kept] = {}
        self.entered: set[tuple[int, Id]] = set()
        self.unwanted: dict[int, Id] = {}
        self.rejects: dict[tuple[int, Id], Reject] = {}
        self.calls: dict[tuple[int, Id], list[Heard]] = {}
        self.originals: dict[tuple[int, Id], str] = {}
        self.leavers: set[Id] = set()
        self.written: dict[Path, array[int]] = {}
        self.rejected: dict[str, list[tuple[int, Id]]] = {}
        self.found: list[Id] = []
        self.unanswered: dict[bytes, tuple[int, Id]] = {}
        self.failed: set[tuple[int, Id]] = set()
        self._sought = sought

    def written_in(self, file: Path) -> array[int]:
        """The rows whose records a file has, in order; none where it has none."""
        return self.written.get(file, array("q"))

    def dropped(self) -> Callable[[int, Id], bool]:
        """Tells whether nobody wanted a row any more when a node was through with it.

        That is also what failed and came to no sink's rejects, since a limit was full by then.
        """
        nowhere = self.failed.difference(*self.rejected.values())
        return lambda node, id: id > self.unwanted.get(node, id) or (node, id) in nowhere

    def made(self, node: int, parents: tuple[Id, ...], values: Mapping[str, Any], place: str) -> Id:
        """Number what a node hands on."""
        id = self.lineage.add(node, parents)
        if id in self.wanted:
            self.rows[id] = Kept(values, str(place))
        if self._sought is not None and not parents and self._sought(place):
            self.found.append(id)
        return id

    def heard(self, node: int, id: Id, query: Query, result: Value | Failed) -> None:
        if isinstance(result, Failed) and result.outcome == "unavailable":
            self.unanswered.setdefault(query.key, (node, id))
        if id not in self.wanted:
            return
        heard = self.calls.setdefault((node, id), [])
        if all(one.query is not query for one in heard):
            heard.append(Heard(query, result))


class Watcher:
    """Sees what one node is given and what it hands on."""

    def __init__(self, node: int, trace: Trace) -> None:
        self.node = node
        self.trace = trace
        self._last: Id = NOWHERE

    def given(self, batch: Batch) -> Batch:
        """Note the rows that come to the node."""
        if self.trace.wanted:
            for item in batch:
                if item.__class__ is Row and (id := id_of(item.place)) in self.trace.wanted:
                    self.trace.entered.add((self.node, id))
        return batch

    def looked_at(self, row: Row) -> None:
        """A row of another flow that the node reads."""

    def made(self, batch: Batch) -> Batch:
        """Number what the node makes; what passes it by has its mark already."""
        return [self._marked(item) for item in batch]

    def unwanted(self) -> None:
        """Nobody reads on: what was given behind the last row that went on is surplus."""
        self.trace.unwanted[self.node] = self._last

    def parents(self, row: Row) -> tuple[Id, ...]:
        """The rows that a new one came of."""
        parent = id_of(row.place)
        return () if parent is None else (parent,)

    def _marked(self, item: Item) -> Item:
        if isinstance(item, Row):
            return marked(item, self._made(item))
        if isinstance(item, Leaver):
            if isinstance(item.row.place, Mark) and item.row.place.ended != NOWHERE:
                return item
            id = self._made(item.row)
            if id in self.trace.wanted:
                self.trace.leavers.add(id)
            return Leaver(marked(item.row, id, self.node), item.loop)
        return self._ended(item)

    def _made(self, row: Row) -> Id:
        parents = self.parents(row)
        if parents:
            self._last = max(self._last, parents[0])
        return self.trace.made(self.node, parents, row.values, row.place)

    def _ended(self, reject: Reject) -> Reject:
        place = reject.place
        if isinstance(place, Mark) and place.ended != NOWHERE:
            return reject
        id = id_of(place)
        if id is None:
            id = self.trace.made(self.node, (), reject.row, place)
        else:
            self._last = max(self._last, id)
        self.trace.failed.add((self.node, id))
        if id in self.trace.wanted:
            self.trace.rejects[self.node, id] = replace(reject, place=str(place))
        return replace(reject, place=Mark.of(place, id, self.node))


class GroupWatcher(Watcher):
    """A group came of all rows with its key but those that failed in it."""

    def __init__(self, node: int, trace: Trace, by: tuple[str, ...]) -> None:
        super().__init__(node, trace)
        self._by = by
        self._members: dict[Hashable, array[int]] = {}
        self._failed: set[Id] = set()

    def given(self, batch: Batch) -> Batch:
        for item in batch:
            if isinstance(item, Row) and (id := id_of(item.place)) is not None:
                self._members.setdefault(self._key(item.values), array("q")).append(id)
        return super().given(batch)

    def parents(self, row: Row) -> tuple[Id, ...]:
        members = self._members.get(self._key(row.values), ())
        return tuple(id for id in members if id not in self._failed)

    def _ended(self, reject: Reject) -> Reject:
        ended = super()._ended(reject)
        if isinstance(ended.place, Mark) and ended.place.ended == self.node:
            self._failed.add(ended.place.id)
        return ended

    def _key(self, values: Mapping[str, Any]) -> Hashable:
        return frozen([values.get(name) for name in self._by])


class JoinWatcher(Watcher):
    """A joined row came of a row and of its match; matches are taken in the order of their flow."""

    def __init__(self, node: int, trace: Trace, on: tuple[str, ...]) -> None:
        super().__init__(node, trace)
        self._on = on
        self._known: dict[Hashable, array[int]] = {}
        self._matched: tuple[Id, int] = (NOWHERE, 0)

    def looked_at(self, row: Row) -> None:
        key, id = self._key(row.values), id_of(row.place)
        if key is not None and id is not None:
            self._known.setdefault(key, array("q")).append(id)

    def parents(self, row: Row) -> tuple[Id, ...]:
        parents = super().parents(row)
        matches = self._known.get(self._key(row.values), ())
        if not parents or not matches:
            return parents
        before, count = self._matched
        at = count if parents[0] == before else 0
        self._matched = (parents[0], at + 1)
        return (parents[0], matches[at])

    def _key(self, values: Mapping[str, Any]) -> Hashable | None:
        key: list[Any] = [values.get(name) for name in self._on]
        return None if None in key else frozen(key)


class Originals(Matches):
    """Which row each duplicate is like, of all that are wanted."""

    def __init__(self, node: int, trace: Trace) -> None:
        super().__init__()
        self._node = node
        self._trace = trace

    def duplicate(self, place: str, original: int) -> None:
        if (id := id_of(place)) in self._trace.wanted:
            self._trace.originals[self._node, id] = str(self._kept[original])


def watcher_of(index: int, node: graph.Node, trace: Trace) -> Watcher:
    """Who watches a node: where rows come of several, it has to be known which."""
    match node:
        case graph.StageNode(stage="group", args=args):
            return GroupWatcher(index, trace, _names(args["by"]))
        case graph.StageNode(stage="join", args=args):
            return JoinWatcher(index, trace, _names(args["on"]))
        case _:
            return Watcher(index, trace)


def _names(fields: graph.Arg) -> tuple[str, ...]:
    assert isinstance(fields, graph.Fields)
    return tuple(name for name, _ in fields.entries)


class Watched:
    """The rows that a node works on."""

    def __init__(self, batches: AsyncIterator[Batch], watcher: Watcher) -> None:
        self._batches = batches
        self._watcher = watcher

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        return self._watcher.given(await anext(self._batches))


class LookedAt(Watched):
    """The rows of another flow, as the node reads them."""

    async def __anext__(self) -> Batch:
        batch = await anext(self._batches)
        for item in batch:
            if isinstance(item, Row):
                self._watcher.looked_at(item)
        return batch
