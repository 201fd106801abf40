"""How fast the journal is, and what ``dpipe cache`` takes: ``python bench/journal.py [ENTRIES]``.

Entries are replies of about 600 bytes, recorded by 256 tasks at once, as a run would. Beside it
stands the least that any journal could do: the same entries appended to a file, without an index.
Each line is a process of its own, so its memory is the most that it alone took.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory

import msgspec
import trio

from dpipe.runtime.cache import carrying, inventory, mending, pruning
from dpipe.runtime.journal import Journal
from dpipe.runtime.models.protocol import Reply, Usage
from dpipe.runtime.record import Project, find_project

TASKS = 256
TEXT = " ".join(str(number * 7919 % 1009) for number in range(150))
REPLY = Reply(TEXT, usage=Usage(200, 150))
PROGRAM = "bench.dpipe"


def main(entries: int) -> None:
    with TemporaryDirectory() as folder:
        for step in STEPS:
            command = [sys.executable, __file__, step, folder, str(entries)]
            subprocess.run(command, check=True)
        sizes = [Path(folder, name).stat().st_size / entries for name in ("full", "all.jsonl")]
    print(f"bytes an entry: {sizes[0]:.0f} ({len(TEXT)} of text); exported: {sizes[1]:.0f}")


def measured(step: str, folder: Path, entries: int) -> None:
    """Do a step, and print what it took."""
    (folder / PROGRAM).touch()
    project = find_project(folder / PROGRAM)
    project.prepare()
    before = getrusage(RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    STEPS[step](project, entries)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = (getrusage(RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{step:22}{wall:>9.2f} s{entries / wall:>12,.0f} a second{cpu / entries * 1e6:>8.1f} µs of"
        f" CPU each{memory:>8.0f} MB more",
        flush=True,
    )


def keys(entries: int) -> Iterator[bytes]:
    """Keys that look random and are the same in every step."""
    return (blake2b(str(n).encode(), digest_size=16).digest() for n in range(entries))


def opened(project: Project) -> Journal:
    return Journal.open(project.journal, program=PROGRAM)


def append(project: Project, entries: int) -> None:
    wanted = keys(entries)
    with (project.root / "log").open("wb", buffering=0) as file:
        while batch := [(key, REPLY) for key in islice(wanted, TASKS)]:
            file.write(b"".join(map(msgspec.msgpack.encode, batch)))
        os.fsync(file.fileno())
    (project.root / "log").unlink()


def record(project: Project, entries: int) -> None:
    left = enumerate(keys(entries))

    async def work(journal: Journal) -> None:
        for number, key in left:
            model = "gpt-x" if number % 2 else "gpt-y"
            await journal.record(key, 0, outcome="ok", reply=REPLY, model=model, prompt="rate")

    async def main() -> None:
        with opened(project) as journal:
            journal.begin_run("bench")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(journal.serve)
                async with trio.open_nursery() as workers:
                    for _ in range(TASKS):
                        workers.start_soon(work, journal)
                journal.stop()
            journal.end_run()

    trio.run(main)
    (project.root / "full").hardlink_to(project.journal)


def only_open(project: Project, entries: int) -> None:
    opened(project).close()


def recall(project: Project, entries: int) -> None:
    with opened(project) as journal:
        assert all(journal.recall(key) for key in keys(entries))


def recall_together(project: Project, entries: int) -> None:
    wanted = keys(entries)
    with opened(project) as journal:
        while some := list(islice(wanted, TASKS)):
            assert len(journal.recall_all(some)) == len(some)


def recall_in_vain(project: Project, entries: int) -> None:
    with opened(project) as journal:
        assert not any(journal.recall(key[::-1]) for key in keys(entries))


def import_all(project: Project, entries: int) -> None:
    elsewhere = project.root / "elsewhere"
    elsewhere.mkdir()
    other = find_project(elsewhere / PROGRAM)
    assert carrying.import_from(other, project.root / "all.jsonl").answers == entries


def repair(project: Project, entries: int) -> None:
    """With one entry damaged."""
    with opened(project) as journal:
        journal._writer.rows("UPDATE attempts SET texts = x'00' WHERE rowid = 7")
    assert mending.repair(project).attempts == entries - 1


STEPS: dict[str, Callable[[Project, int], object]] = {
    "append to a file": append,
    "record": record,
    "open": only_open,
    "recall": recall,
    f"recall {TASKS} together": recall_together,
    "recall in vain": recall_in_vain,
    "cache info": lambda project, _: inventory.info(project),
    "cache check": lambda project, _: mending.check(project),
    "cache export": lambda project, _: carrying.export_to(project, project.root / "all.jsonl"),
    "cache import": import_all,
    "cache prune of half": lambda project, _: pruning.prune(project, pruning.Wanted(model="gpt-x")),
    "cache check --repair": lambda project, n: repair(project, n - n // 2),
}


if __name__ == "__main__":
    if len(sys.argv) == 4:
        measured(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
