"""How fast the journal writes and reads: ``python bench/journal.py [ENTRIES]``.

Entries are replies of about 600 bytes, recorded by 256 tasks at once, as a run would. Beside it
stands the least that any journal could do: the same entries appended to a file, without an index.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import trio

from dpipe.runtime.journal import Journal
from dpipe.runtime.models.protocol import Reply

TASKS = 256
TEXT = " ".join(str(number * 7919 % 1009) for number in range(150))


def main(entries: int) -> None:
    keys = [os.urandom(16) for _ in range(entries)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        with measured("append to a file", entries):
            append(Path(folder) / "log", keys)
        with Journal.open(path, program="bench") as journal:
            journal.begin_run("bench")
            with measured("record", entries):
                trio.run(record, journal, keys)
        with measured("open", 1), Journal.open(path, program="bench") as journal:
            pass
        with Journal.open(path, program="bench") as journal:
            with measured("recall", entries):
                assert all(journal.recall(key) for key in keys)
            with measured("recall in vain", entries):
                assert not any(journal.recall(key[::-1]) for key in keys)
        size = path.stat().st_size / entries
        print(f"{'bytes an entry':20}{size:>12.0f}   (its text has {len(TEXT)})")


@contextmanager
def measured(what: str, count: int) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what:20}{count / wall:>12,.0f} a second{cpu / count * 1e6:>10,.1f} µs of CPU each")


def append(path: Path, keys: list[bytes]) -> None:
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(keys), TASKS):
            batch = [(key, Reply(TEXT)) for key in keys[start : start + TASKS]]
            file.write(b"".join(map(msgspec.msgpack.encode, batch)))
        os.fsync(file.fileno())


async def record(journal: Journal, keys: list[bytes]) -> None:
    left = iter(keys)

    async def work() -> None:
        for key in left:
            await journal.record(key, 0, outcome="ok", reply=Reply(TEXT), model="gpt-x")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.serve)
        async with trio.open_nursery() as workers:
            for _ in range(TASKS):
                workers.start_soon(work)
        journal.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
