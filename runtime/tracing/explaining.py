"""Why a record is there, and why another is not: a run gone through again for the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import trio
from msgspec import Struct
from msgspec.structs import replace

from dpipe.lang.graph import SinkNode, SourceNode
from dpipe.runtime import kept as recorded
from dpipe.runtime.assembly import Frame, models_used, open_inputs
from dpipe.runtime.embedding import Embeddings
from dpipe.runtime.endpoints import Endpoints
from dpipe.runtime.errors import UsageError
from dpipe.runtime.journal import Journal
from dpipe.runtime.locks import hold_journal
from dpipe.runtime.paths import display
from dpipe.runtime.places import real_place
from dpipe.runtime.record import Project, Run
from dpipe.runtime.sinks.files import PARTIAL
from dpipe.runtime.sources.base import Source
from dpipe.runtime.tracing.attempts import Calls
from dpipe.runtime.tracing.changes import changed_files, changes
from dpipe.runtime.tracing.facts import Explanation, Fate, RunFacts
from dpipe.runtime.tracing.lineage import Id
from dpipe.runtime.tracing.records import nth
from dpipe.runtime.tracing.replay import Heard, Replay
from dpipe.runtime.tracing.sinks import below
from dpipe.runtime.tracing.telling import Lines, Teller
from dpipe.runtime.tracing.watching import Trace
from dpipe.runtime.values import Leaver, Reject, Row, Skipped

T = TypeVar("T")

UNREADABLE = "the partial file cannot be read yet, so the record was not compared with it"


class Past(Struct, frozen=True):
    """A recorded run that can be gone through again.

    ``lines`` gives a line of the program's text as it was, ``heard`` is told how far it is.
    """

    project: Project
    run: Run
    frame: Frame
    lines: Lines
    heard: Heard

    @property
    def facts(self) -> RunFacts:
        assert self.run.record is not None
        record = self.run.record
        return RunFacts(record.id, record.program, record.began.isoformat(), self.run.status)


async def explain_record(past: Past, file: Path, number: int) -> Explanation:
    """How the ``number``-th record of a file came to be; raises ``UsageError``."""
    return await _through(past, _Record(past, file, number).told)


async def explain_input(past: Past, place: Callable[[str], bool], shown: str) -> Fate:
    """What became of the rows of sources at the places that are meant; raises ``UsageError``."""
    return await _through(past, _Input(past, place, shown).told)


async def _through(past: Past, told: Callable[[_Rerun], Awaitable[T]]) -> T:
    """What is told with everything at hand that going through a run takes."""
    frame = past.frame
    inputs = open_inputs(frame)
    if not frame.project.journal.exists():
        raise UsageError(
            f"the journal is gone: there is no `{frame.project.journal}`",
            hint="without it nobody knows what was answered; run the program again",
        )
    endpoints = Endpoints(
        frame.program,
        models_used(frame),
        frame.expressions,
        tell=lambda call: None,
        clock=trio.current_time,
        seed=frame.settings.seed,
        replay=True,
    )
    try:
        with (
            hold_journal(frame.project.locks),
            Journal.open(frame.project.journal, program=frame.name) as journal,
            TemporaryDirectory(prefix="dpipe-explain-") as folder,
        ):
            root = frame.project.root
            frame.expressions.functions.keeping = recorded.Kept(journal, root, replay=True)
            replay = Replay(frame, inputs, journal, endpoints, Path(folder), past.heard)
            return await told(_Rerun(past, replay))
    finally:
        await endpoints.close()


class _Rerun(Struct, frozen=True):
    """A run on its second way through its rows."""

    past: Past
    replay: Replay

    async def trace(
        self,
        wanted: frozenset[Id] = frozenset(),
        sought: Callable[[str], bool] | None = None,
    ) -> Trace:
        """What going through all of it shows; a source of the user's can be read only once."""
        trace = Trace(len(self.past.frame.program.nodes), wanted, sought)
        await replace(self.replay, inputs=open_inputs(self.past.frame)).through(trace)
        return trace

    def teller(self, trace: Trace) -> Teller:
        assert self.past.run.record is not None
        began = self.past.run.record.began.timestamp()
        calls = Calls(self.replay.journal, self.replay.endpoints, began)
        known = Embeddings(self.replay.endpoints.embedder, self.replay.journal, replay=True)
        return Teller(self.past.frame, trace, calls, known.vectors, self.past.lines)


# -- a record that is there ------------------------------------------------------------------------


class _Record(Struct, frozen=True):
    """A record of a file that a run wrote; ``file`` may be a partial one."""

    past: Past
    file: Path
    number: int

    async def told(self, rerun: _Rerun) -> Explanation:
        sink = _sink_of(rerun.replay, self._place)
        is_rejects = self._place == real_place(rerun.replay.inputs.rejects[sink.name])
        there, notes = await self._there(sink, is_rejects)
        lineage = await rerun.trace()
        ids, ended = self._ids(sink, lineage, is_rejects)
        if not ids or not await self._is_same(there, rerun, sink, is_rejects):
            raise self._changed(rerun, lineage)
        trace = await rerun.trace(lineage.lineage.above(ids))
        teller = rerun.teller(trace)
        return Explanation(
            run=self.past.facts,
            file=display(self.file.absolute(), self.past.project.root),
            record=self.number,
            sink=sink.name,
            written=there,
            steps=teller.steps(),
            ending=None if ended is None else teller.ending_at(ended, ids[0]),
            notes=notes,
        )

    @property
    def _place(self) -> Path:
        """Where the file lies once it is complete."""
        place = real_place(self.file.absolute())
        return place.with_name(place.name.removesuffix(PARTIAL))

    def _ids(self, sink: SinkNode, trace: Trace, is_rejects: bool) -> tuple[list[Id], int | None]:
        """The rows that the record is of, and for a reject the node where it ended."""
        if is_rejects:
            found = trace.rejected[sink.name][self.number - 1 : self.number]
            return [id for _, id in found], found[0][0] if found else None
        ids = list(trace.written_in(self._place))
        return ids if sink.metrics else ids[self.number - 1 : self.number], None

    async def _there(self, sink: SinkNode, is_rejects: bool) -> tuple[Any, tuple[str, ...]]:
        """The record as the file has it; None, with a note, where a partial file cannot be read."""
        found = await nth(self.file, self.number, sink, is_rejects=is_rejects)
        if found.record is not None:
            return found.record, ()
        if not found.trouble:
            count = f"{found.count} record{'s' * (found.count != 1)}"
            raise UsageError(f"`{self.file}` has {count}, and none at {self.number}")
        if self.file.name.endswith(PARTIAL):
            return None, (UNREADABLE,)
        raise UsageError(f"`{self.file}` cannot be read: {found.trouble}")

    async def _is_same(self, there: Any, rerun: _Rerun, sink: SinkNode, is_rejects: bool) -> bool:
        """Whether going through the run again gave the record that the file has."""
        again = below(rerun.replay.folder, self._place)
        if there is None or not again.exists():
            return there is None
        now = await nth(again, self.number, sink, is_rejects=is_rejects)
        return bool(now.record == there)

    def _changed(self, rerun: _Rerun, trace: Trace) -> UsageError:
        """What tells that the file is not what the run would write today, and why that may be."""
        why = list(changes(self.past.run, rerun.replay, trace))
        return UsageError(
            f"`{self.file}:{self.number}` cannot be explained: the run, gone through again, gives "
            f"another record there" + (f"; {'; '.join(why)}" if why else ""),
            hint="run the program again: what is in the journal costs nothing",
        )


def _sink_of(replay: Replay, place: Path) -> SinkNode:
    """The sink that wrote a file, or the rejects in it."""
    sinks = [node for _, node in replay.frame.nodes() if isinstance(node, SinkNode)]
    for sink in sinks:
        if place == real_place(replay.inputs.rejects[sink.name]):
            return sink
    for index, path in replay.inputs.sinks.items():
        if path.might_write(place):
            found = replay.frame.program.nodes[index]
            assert isinstance(found, SinkNode)
            return found
    raise UsageError(f"the program, as it was, has no sink that writes `{place}`")


# -- a record that is not --------------------------------------------------------------------------


class _Input(Struct, frozen=True):
    """Records of sources, by their places."""

    past: Past
    meant: Callable[[str], bool]
    shown: str

    async def told(self, rerun: _Rerun) -> Fate:
        lineage = await rerun.trace(sought=self.meant)
        if not lineage.found:
            raise await self._unread(rerun)
        trace = await rerun.trace(lineage.lineage.below(lineage.found))
        teller = rerun.teller(trace)
        notes = tuple(_notes(rerun, lineage))
        return Fate(self.past.facts, self.shown, teller.steps(), teller.endings(), notes)

    async def _unread(self, rerun: _Rerun) -> UsageError:
        """Why no row of the run came from there."""
        for index, source in open_inputs(self.past.frame).sources.items():
            if found := await self._found_in(source):
                node = rerun.past.frame.program.nodes[index]
                assert isinstance(node, SourceNode)
                return self._skipped(node) if isinstance(found, Skipped) else self._not_wanted(node)
        return UsageError(
            f"no source of `{self.past.facts.program}` has a record at `{self.shown}`",
            hint="name one by its line, from 1 (of several lines the first), as `data/in.jsonl:17`",
        )

    async def _found_in(self, source: Source) -> Row | Reject | Skipped | None:
        async with aclosing(aiter(source)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                for item in batch:
                    if not isinstance(item, Leaver) and self.meant(item.place):
                        return item
        return None

    def _skipped(self, node: SourceNode) -> UsageError:
        skips = f'`{node.name}` leaves such files out: `empty: "skip"`'
        return UsageError(f"`{self.shown}` holds no text, and {skips}")

    def _not_wanted(self, node: SourceNode) -> UsageError:
        sample = self.past.frame.settings.sample
        if sample is not None:
            return UsageError(f"the run used only {sample} rows of `{node.name}`: --sample")
        return UsageError(
            f"`{self.shown}` was not read: what follows `{node.name}` wanted no more rows",
            hint="a `limit` further down was full by then",
        )


def _notes(rerun: _Rerun, trace: Trace) -> Iterator[str]:
    """What makes the answer one about today's files and journal, not about the run's."""
    run = rerun.past.run
    if run.status in ("done", "rows lost"):
        found = changes(run, rerun.replay, trace)
    else:
        found = changed_files(run, rerun.replay)
        end = f"the run did not come to its end ({run.status})"
        yield f"{end}: what it had not asked yet is told as unavailable"
    for change in found:
        yield f"{change}, so this may not be what the run did"
