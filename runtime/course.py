"""The course of a run whose parts are made: files are begun, rows go through, the end is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import trio
from msgspec import Struct

from dpipe.lang.graph import label_of
from dpipe.runtime.ahead import Ahead
from dpipe.runtime.asking import Asker
from dpipe.runtime.assembly import Frame, Inputs
from dpipe.runtime.budget import Budget, Stopped
from dpipe.runtime.canary import Canary, CanaryDied
from dpipe.runtime.endpoints import Endpoints
from dpipe.runtime.errors import UsageError
from dpipe.runtime.events import (
    Listener,
    NodeCount,
    Observers,
    Progress,
    RowRejected,
    RunEnded,
    RunStarted,
    SinkWritten,
    Status,
    Stopping,
)
from dpipe.runtime.executor import Executor, Feed, Part, Service, unwrapped
from dpipe.runtime.guards import end_when_stopped, stop_for_errors, stop_in_time
from dpipe.runtime.interrupts import Interrupted, Signals
from dpipe.runtime.journal import Journal
from dpipe.runtime.losses import Losses
from dpipe.runtime.paths import display
from dpipe.runtime.places import real_place
from dpipe.runtime.plan import ancestors
from dpipe.runtime.record import list_runs
from dpipe.runtime.result import EXIT_CODES, OutputFile, RunResult
from dpipe.runtime.sinks.files import PARTIAL
from dpipe.runtime.standing import Spared, Standing
from dpipe.runtime.values import Reject
from dpipe.runtime.writing import Writing

PROGRESS = 0.25
"""Seconds between two looks at where the run stands."""

_PASSING = "failed:unavailable"

GO_ON = "what was answered is kept: run it again to go on, nothing is paid twice"


def _missed(nodes: Iterable[NodeCount]) -> bool:
    """Whether rows were lost to what may pass, so that answers about them went unused."""
    return any(node.reasons.get(_PASSING) for node in nodes)


class Watch:
    """Tells whoever listens what happens in a run, and when."""

    def __init__(self, root: Path, observers: Sequence[Listener], losses: Losses) -> None:
        self.tell = Observers(*observers)
        self.losses = losses
        self._root = root
        self._began = trio.current_time()
        self.canary: Canary | None = None
        self._rejects: dict[str, Reject] = {}  # the first of each stage

    def elapsed(self) -> float:
        """Seconds since the run began."""
        return trio.current_time() - self._began

    def shown(self, path: Path) -> str:
        return display(path, self._root)

    def first_reject(self, stage: str) -> str:
        """What was wrong with the first row that a stage failed, to be told behind how many."""
        first = self._rejects.get(stage)
        return f", the first ({first.place}) with: {first.message}" if first else ""

    def rejected(self, reject: Reject) -> None:
        self._rejects.setdefault(reject.stage, reject)
        self.losses.rejected(reject)
        if self.canary:
            self.canary.home(reject)
        self.tell(
            RowRejected(
                elapsed=self.elapsed(),
                stage=reject.stage,
                outcome=reject.outcome,
                message=reject.message,
                place=reject.place,
            )
        )

    def stopping(self, reason: str) -> None:
        self.tell(Stopping(elapsed=self.elapsed(), reason=reason))

    def written(self, path: Path, rows: int) -> None:
        self.tell(SinkWritten(elapsed=self.elapsed(), path=self.shown(path), rows=rows))


class Course(Struct, frozen=True):
    """A run with everything in its place; ``variant`` is what it has in common with those that
    make the same datasets."""

    id: str
    variant: bytes
    frame: Frame
    inputs: Inputs
    parts: Mapping[int, Part]
    watch: Watch
    journal: Journal
    asker: Asker
    endpoints: Endpoints
    budget: Budget

    async def run(self, *, signals: bool = False, canary: int = 0) -> RunResult:
        """``canary`` rows of each source go before the others."""
        self.journal.begin_run(self.id, self.variant)
        ahead = Canary(canary) if canary and self.endpoints.models else None
        self.watch.canary = ahead
        executor = Executor(self.frame.program, self.frame.wiring, self.parts, ahead)
        self._tell_start()
        try:
            self._open_outputs(executor)
            with unwrapped():
                await self._through(executor, signals, ahead)
        except Stopped as stopped:
            if stopped.of_failures:
                self.journal.end_run(whole=False)
            return self._end(executor, "stopped", f"{stopped.reason}; {GO_ON}")
        except CanaryDied as died:
            self.journal.end_run(whole=False)  # so that its rows are asked for again
            self._bring_home(ahead.away if ahead else ())
            first = self.watch.first_reject(died.stage)
            message = f"{died.reason}{first}: mend that, or let the others go with --canary 0"
            return self._end(executor, "stopped", message, EXIT_CODES["rows lost"])
        except Interrupted as interrupted:
            message = f"interrupted; {GO_ON}"
            return self._end(executor, "interrupted", message, interrupted.exit_code)
        except KeyboardInterrupt:
            return self._end(executor, "interrupted", f"interrupted; {GO_ON}")
        except UsageError as error:
            with suppress(UsageError):  # the disk that is full may be the record's as well
                self._end(executor, "failed", error.message)
            raise
        finally:
            for writing in self._writings():
                writing.abandon()
        self.journal.end_run(whole=not _missed(self._settled(executor)))
        return self._ended(executor)

    async def _through(self, executor: Executor, signals: bool, canary: Canary | None) -> None:
        """Run all rows through, with what has to be done beside."""
        services = self._services(executor)
        if canary:
            services.append(partial(canary.watch, executor.counts, self._is_idle))
        if not signals:
            await executor.run(services)
            return
        caught = Signals()
        with caught.caught():
            await executor.run([*services, caught.interrupt])

    def _services(self, executor: Executor) -> list[Service]:
        settings, budget = self.frame.settings, self.budget
        return [
            self.journal.serve,
            lambda: self._progress(executor),
            lambda: stop_in_time(settings.within, budget),
            lambda: stop_for_errors(settings, partial(self._settled, executor), budget),
            lambda: end_when_stopped(budget, self.journal, self.watch.stopping),
        ]

    def _settled(self, executor: Executor) -> tuple[NodeCount, ...]:
        """The counts, of which those rows have failed that came to a sink's rejects."""
        return self.watch.losses.of(executor.order, executor.counts())

    def _bring_home(self, rejects: Iterable[Reject]) -> None:
        """Put rejects that are on their way among those of the first sink that is ahead."""
        nodes = {label_of(node): index for index, node in self.frame.nodes()}
        sinks = {
            writing: ancestors(self.frame.program, [nodes[writing.label]])
            for writing in self._writings()
        }
        for reject in rejects:
            leads_to = (sink for sink, above in sinks.items() if nodes.get(reject.stage) in above)
            if sink := next(leads_to, None):
                sink.reject(reject)

    def _is_idle(self) -> bool:
        """Whether no row waits for an answer, Python or the journal."""
        calls = any(part.pending for part in self.parts.values() if isinstance(part, Ahead))
        return self.endpoints.is_idle and self.journal.is_idle and not calls

    def _writings(self) -> Iterator[Writing]:
        parts = (part.inner if isinstance(part, Ahead) else part for part in self.parts.values())
        return (part for part in parts if isinstance(part, Writing))

    def _open_outputs(self, executor: Executor) -> None:
        """Begin the files of every sink: from here on there are partial ones."""
        paths = {path.sink: path for path in self.inputs.sinks.values()}
        earlier = self._earlier_outputs() if any(path.fields for path in paths.values()) else []
        within = None if self.frame.settings.allow_outside else self.frame.project.root
        is_sample = self.frame.settings.sample is not None
        taken: set[Path] = set()
        sinks = {label_of(node): index for index, node in self.frame.nodes()}
        for writing in self._writings():
            path = paths.get(writing.label)
            previous = [
                file
                for file in earlier
                if path and path.fields and path.might_write(real_place(file))
            ]
            lost = partial(self._has_lost, executor, sinks[writing.label])
            standing = Standing(self.frame.project, previous, lost, is_sample)
            rejects = self.inputs.rejects[writing.label]
            writing.open(path, rejects, previous, within, taken, standing)

    def _has_lost(self, executor: Executor, sink: int) -> bool:
        """Whether rows on their way to a sink failed."""
        nodes = ancestors(self.frame.program, [sink])
        counts = zip(executor.order, self._settled(executor), strict=True)
        return any(count.failed for index, count in counts if index in nodes)

    def _earlier_outputs(self) -> list[Path]:
        """The files that the program's last complete run wrote."""
        name = self.frame.name
        for run in reversed(list_runs(self.frame.project)):
            if run.record and run.record.program == name and run.result and run.result.sinks:
                return [self.frame.project.root / path for path in run.result.sinks]
        return []

    async def _progress(self, executor: Executor) -> None:
        """Tell where the run stands, and make its partial files readable, now and then."""
        while True:
            await trio.sleep(PROGRESS)
            for writing in self._writings():
                writing.flush()
            self.watch.tell(
                Progress(
                    elapsed=self.watch.elapsed(),
                    nodes=executor.counts(),
                    models=self.endpoints.counts(),
                    share=self._share(),
                )
            )

    def _share(self) -> float | None:
        """How much of the input has been read, from 0 to 1; None where a source cannot tell."""
        shares = [part.share for part in self.parts.values() if isinstance(part, Feed)]
        known = [share for share in shares if share is not None]
        return sum(known) / len(known) if known and len(known) == len(shares) else None

    def _tell_start(self) -> None:
        self.watch.tell(
            RunStarted(
                elapsed=0.0,
                id=self.id,
                program=self.frame.program.file,
                params=self.frame.params,
                sinks=tuple(self.watch.shown(path.shown) for path in self.inputs.sinks.values()),
            )
        )

    def _ended(self, executor: Executor) -> RunResult:
        """The result of a run that came to its end."""
        message = self._unfed() or self._spared()
        lost = any(node.failed for node in self._settled(executor))
        return self._end(executor, "rows lost" if lost else "done", message)

    def _unfed(self) -> str | None:
        """Which sources gave no row, where none did or all records of one were rejected."""
        feeds = [(index, part) for index, part in self.parts.items() if isinstance(part, Feed)]
        if not any(feed.tally.entered for _, feed in feeds):
            return "the sources gave no rows, so the outputs are empty"
        told = [
            f"none of the {feed.tally.entered:,} records of `{name}` could be taken"
            f"{self.watch.first_reject(name)}"
            for name, feed in ((label_of(self.frame.program.nodes[at]), feed) for at, feed in feeds)
            if feed.tally.entered and not feed.tally.passed
        ]
        return "; ".join(told) or None

    def _spared(self) -> str | None:
        """Which outputs were left as they were, where some were."""
        told = [self._left(writing.spared) for writing in self._writings() if writing.spared]
        return f"{'; '.join(told)}; remove what stands there to have it replaced" if told else None

    def _left(self, spared: Spared) -> str:
        stands = "its rows" if spared.rows is None else f"{spared.rows:,} rows"
        left = f"{self.watch.shown(spared.path)} was left as it was, with {stands}"
        if spared.for_sample:
            return f"{left}: this run's {spared.made:,} are a sample, and lie beside as {PARTIAL}"
        lost = "this run lost rows to failures and has"
        return f"{left}: {lost} {spared.made:,} for it, which lie beside as {PARTIAL}"

    def _end(
        self, executor: Executor, status: Status, message: str | None, code: int | None = None
    ) -> RunResult:
        exit_code = EXIT_CODES[status] if code is None else code
        rejects = self._rejects()
        is_complete = status in ("done", "rows lost")
        elapsed, nodes, models = (
            self.watch.elapsed(),
            self._settled(executor) if is_complete else executor.counts(),
            self.endpoints.counts(),
        )
        self.watch.tell(
            RunEnded(
                elapsed=elapsed,
                status=status,
                exit_code=exit_code,
                nodes=nodes,
                models=models,
                message=message,
                rejects=rejects,
                recalled=self.asker.recalls,
            )
        )
        return RunResult(
            id=self.id,
            status=status,
            exit_code=exit_code,
            message=message,
            nodes=nodes,
            models=models,
            outputs=tuple(
                OutputFile(writing.label, self.watch.shown(path), rows)
                for writing in self._writings()
                for path, rows in writing.files.items()
            ),
            rejects=rejects,
            recalled=self.asker.recalls,
            seconds=elapsed,
        )

    def _rejects(self) -> dict[str, int]:
        """How many rejects lie in which file."""
        return {
            self.watch.shown(writing.rejects.at): writing.rejected
            for writing in self._writings()
            if writing.rejects and writing.rejected
        }
