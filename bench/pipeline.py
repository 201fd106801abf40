"""Whole programs beside raw clients: ``python bench/pipeline.py [WHAT ...] [--full]``.

Each line is one program, run as a user runs it, against a loop that does the least which the same
work takes: the server has a core, whoever is measured the other. Medians of three rounds, in each
of which everybody has a turn. Read ratios from one run, not figures from two. ``--full`` takes as
many rows as the targets name. aiohttp is measured where it is installed (the extra ``bench``).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import msgspec
import trio
from calls import HERE, SYSTEM, Bare, compiled, mock, over_aiohttp, question, sdk, spread
from msgspec import Struct

ROUNDS = 3
BUILD = HERE.parent / "build"
# Python keeps what it has compiled, as it does for a user, whatever the environment here says.
ENVIRON = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "PYTHONPYCACHEPREFIX": str(BUILD / "pycache"),
}

ASK = """dpipe 1

model asked = openai("mock-model", url: "{url}", concurrency: {in_flight},
                     temperature: 0.7, max_tokens: 256)

source rows: {{ number: int, question: str }} = jsonl("rows.jsonl")

prompt put(question: str) -> str {{
  system: "{system}"
  user: "{{question}}"
}}

flow answered = rows
  | ask(put(), using: asked, as: .answer)
  | where(len(.answer) > 40)

sink out = answered | jsonl("out.jsonl")
"""

PURE = """dpipe 1

source rows: { number: int, question: str } = jsonl("rows.jsonl")

flow kept = rows
  | set(size: len(.question), double: .number * 2)
  | where(.number % 10 != 0)

sink out = kept | jsonl("out.jsonl")
"""


class Run(Struct):
    """What one turn took: the wall and CPU time of the work, the memory of the process.

    ``upkeep`` is the CPU time of ledger and record, where that was told.
    """

    rows: int
    seconds: float
    cpu: float
    rss: float
    upkeep: float = 0.0


class Line(Struct):
    """A line of the table; ``beside`` is who the ratio is to."""

    what: str
    runs: list[Run]
    beside: list[Run] | None = None
    target: str = ""

    def cells(self) -> Iterator[str]:
        yield self.what
        yield f"{median(run.rows / run.seconds for run in self.runs):,.0f}"
        yield f"{median(run.cpu / run.rows for run in self.runs) * 1e6:,.0f}"
        yield f"{max(run.rss for run in self.runs):,.0f}"
        ratios = zip(self.runs, self.beside or (), strict=False)
        rates = [(a.rows / a.seconds) / (b.rows / b.seconds) for a, b in ratios]
        yield f"{median(rates):.2f}" if rates else ""
        yield self.target


class Share(Struct):
    """A line that tells what ledger and record took of the runs' CPU time."""

    runs: list[Run]

    def cells(self) -> Iterator[str]:
        yield "of that, ledger and record"
        yield ""
        yield f"{median(run.upkeep / run.rows for run in self.runs) * 1e6:,.1f}"
        yield ""
        yield f"{median(run.upkeep / run.cpu for run in self.runs):.3f}"
        yield "under 0.15"


# -- a turn --------------------------------------------------------------------------------------


def turn(command: Sequence[str], folder: Path) -> Run:
    """Run a command on the client's core; its last output tells the rows and the seconds."""
    pin = ["taskset", "-c", "0"] if shutil.which("taskset") else []
    shown = folder / "shown"
    with shown.open("wb") as output:
        child = subprocess.Popen([*pin, *command], cwd=folder, stdout=output, env=ENVIRON)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    told = json.loads(shown.read_bytes())
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}: {told}")
    rows = told.get("rows") or told["nodes"][0]["entered"]
    cpu = usage.ru_utime + usage.ru_stime
    return Run(rows, told["seconds"], cpu, usage.ru_maxrss / 1024, told.get("upkeep", 0.0))


def dpipe(folder: Path, *options: str) -> Run:
    command = "import sys; from dpipe.cli.main import main; sys.exit(main())"
    shown = ("--progress", "none", "--format", "json")
    return turn([sys.executable, "-c", command, "run", "main.dpipe", *shown, *options], folder)


def upkeep(folder: Path) -> Run:
    return turn([sys.executable, str(HERE / "upkeep.py")], folder)


def raw(folder: Path, kind: str, *args: object) -> Run:
    """A turn of one of the loops below, in a process of its own."""
    return turn([sys.executable, __file__, "--turn", kind, *map(str, args)], folder)


def raw_turn(kind: str, *args: str) -> None:
    started = time.perf_counter()
    match kind:
        case "bare":
            port, calls, in_flight = map(int, args[:3])
            rate = trio.run(spread, Bare(port, args[3]).ask, calls, in_flight)
        case "sdk":
            calls = int(args[1])
            rate = trio.run(sdk, args[0], calls, int(args[2]))
        case "aiohttp":
            calls = int(args[1])
            rate = asyncio.run(over_aiohttp(args[0], calls, int(args[2])))
        case _:
            calls = copy(Path("rows.jsonl"), Path("out.jsonl"))
            rate = calls / (time.perf_counter() - started)
    print(json.dumps({"rows": calls, "seconds": calls / rate}))


def copy(source: Path, target: Path) -> int:
    """The pure program as a loop over msgspec; how many rows it read."""
    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
    count = 0
    with source.open("rb") as lines, target.open("wb") as out:
        for line in lines:
            count += 1
            row = decode(line)
            row["size"], row["double"] = len(row["question"]), row["number"] * 2
            if row["number"] % 10 != 0:
                out.write(encode(row) + b"\n")
    return count


# -- the lines -----------------------------------------------------------------------------------


def write_program(folder: Path, program: str, rows: int) -> None:
    """Write a program and its rows, and run it once on one of them, so that all is compiled."""
    (folder / "main.dpipe").write_text(program)
    with (folder / "rows.jsonl").open("w") as file:
        for number in range(rows):
            file.write(json.dumps({"number": number, "question": question(number)}) + "\n")
    dpipe(folder, "--sample", "1")


def forget(folder: Path) -> None:
    shutil.rmtree(folder / ".dpipe", ignore_errors=True)


def asking(rows: int, in_flight: int, options: str, name: str) -> Iterator[Line | Share]:
    """A program that asks, raw clients, and where nobody waits the SDK and a replay."""
    ours: list[Run] = []
    bare: list[Run] = []
    aiohttp: list[Run] = []
    default: list[Run] = []
    replays: list[Run] = []
    kept: list[Run] = []
    waits = bool(options)
    with mock(BUILD, 0) as port, TemporaryDirectory() as made:
        folder = Path(made)
        base = f"/o:{options}/v1" if options else "/v1"
        url = f"http://127.0.0.1:{port}{base}"
        write_program(folder, ASK.format(url=url, in_flight=in_flight, system=SYSTEM), rows)
        for _ in range(ROUNDS):
            forget(folder)
            bare.append(raw(folder, "bare", port, rows, in_flight, base))
            ours.append(dpipe(folder))
            if find_spec("aiohttp"):
                aiohttp.append(raw(folder, "aiohttp", url, rows // 2, in_flight))
            if not waits:
                replays.append(dpipe(folder, "--replay"))
                default.append(raw(folder, "sdk", url, max(in_flight, rows // 20), in_flight))
                forget(folder)
                kept.append(upkeep(folder))
    yield Line(f"{name}: trio + httptools, bare", bare)
    if aiohttp:
        yield Line(f"{name}: aiohttp, bare", aiohttp, bare)
    if waits:
        yield Line(f"{name}: dpipe", ours, bare, TARGETS[name])
        return
    yield Line(f"{name}: the SDK's default", default, bare)
    yield Line(f"{name}: dpipe, of bare", ours, bare, "0.3")
    yield Line(f"{name}: dpipe, of the SDK", ours, default, "10")
    yield Share(kept)
    yield Line("replay of these answers", replays, None, "30,000/s")


def pure(rows: int) -> Iterator[Line]:
    plain: list[Run] = []
    ours: list[Run] = []
    with TemporaryDirectory() as made:
        folder = Path(made)
        write_program(folder, PURE, rows)
        for _ in range(ROUNDS):
            forget(folder)
            plain.append(raw(folder, "copy"))
            ours.append(dpipe(folder))
    yield Line(f"set → where, {rows:,} rows: a msgspec loop", plain)
    yield Line(f"set → where, {rows:,} rows: dpipe", ours, plain, "0.2, 250 MB")


TARGETS = {
    "1,000 in flight, 200 ms": "4,000/s",
    "the same, 1 in 100 after 5 s more": "2,800/s",
    "5,000 in flight, 200 ms": "0.5, 400 MB",
}


def lines(what: str, full: bool) -> Iterable[Line | Share]:
    many = 2 if full else 1
    latency, slow, crowd = TARGETS
    match what:
        case "ask":
            return asking(100_000 if full else 20_000, 256, "", "256 in flight, 0 ms")
        case "latency":
            return asking(20_000 * many, 1_000, "lat=200", latency)
        case "slow":
            return asking(60_000 * many, 1_000, "lat=200,tail=0.01,tailms=5000", slow)
        case "crowd":
            return asking(40_000 * many, 5_000, "lat=200", crowd)
        case _:
            many_rows = (100_000, 1_000_000) if full else (200_000,)
            return chain.from_iterable(map(pure, many_rows))


WHAT = ("ask", "latency", "slow", "crowd", "pure")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*WHAT, []], help="which lines; all by default")
    parser.add_argument("--full", action="store_true", help="as many rows as the targets name")
    parser.add_argument("--turn", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.turn:
        raw_turn(*given.turn)
        return
    compiled(BUILD)
    head = ("what", "rows/s", "CPU µs a row", "RSS MB", "ratio", "at least")
    print("| " + " | ".join(head) + " |\n|---|---:|---:|---:|---:|---|", flush=True)
    for what in given.what or WHAT:
        for line in lines(what, given.full):
            print("| " + " | ".join(line.cells()) + " |", flush=True)


if __name__ == "__main__":
    main()
