"""Calls a second against the C mock server: the SDK, dpipe's model, a bare trio client, C.

    python bench/calls.py [--calls 4000] [--in-flight 64] [--latency MS]

One run on one machine; read the ratios, not the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httptools
import trio
from openai import AsyncOpenAI

from dpipe.lang.types import STR
from dpipe.runtime.models.make import make_model
from dpipe.runtime.models.openai import openai_model
from dpipe.runtime.models.options import read_options
from dpipe.runtime.models.protocol import Message, Model, Request

HERE = Path(__file__).parent
SYSTEM = "You are a helpful assistant that writes short, accurate answers."
OPTIONS = {"temperature": 0.7, "max_tokens": 256}


def question(number: int) -> str:
    return f"Write one short question about record {number} and answer it briefly."


def asked(number: int) -> dict[str, object]:
    """The body of a call."""
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": question(number)},
    ]
    return {"model": "mock-model", "messages": messages, **OPTIONS}


async def spread(ask: Callable[[int], Awaitable[object]], calls: int, in_flight: int) -> float:
    """Calls a second with so many under way at once."""
    numbers = iter(range(calls))

    async def worker() -> None:
        for number in numbers:
            await ask(number)

    started = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(in_flight):
            nursery.start_soon(worker)
    return calls / (time.perf_counter() - started)


async def sdk(url: str, calls: int, in_flight: int) -> float:
    async with AsyncOpenAI(base_url=url, api_key="sk-test", max_retries=0) as client:

        async def ask(number: int) -> None:
            await client.chat.completions.create(
                model="mock-model",
                messages=[
                    {"role": "system", "content": SYSTEM},
                    {"role": "user", "content": question(number)},
                ],
                temperature=0.7,
                max_tokens=256,
            )

        return await spread(ask, calls, in_flight)


async def over_aiohttp(url: str, calls: int, in_flight: int) -> float:
    """Calls a second by aiohttp, whose connections are as many as the calls under way."""
    import aiohttp

    numbers = iter(range(calls))

    async def worker(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            async with session.post(f"{url}/chat/completions", json=asked(number)) as reply:
                await reply.json()

    started = time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(worker(session) for _ in range(in_flight)))
    return calls / (time.perf_counter() - started)


async def over(model: Model, calls: int, in_flight: int) -> float:
    async def ask(number: int) -> None:
        messages = (Message("system", SYSTEM), Message("user", question(number)))
        await model.complete(Request(messages, None, STR, OPTIONS))

    rate = await spread(ask, calls, in_flight)
    await model.aclose()
    return rate


class Bare:
    """The least that trio and httptools need for a call: the ceiling of what Python can do."""

    def __init__(self, port: int, base: str = "/v1") -> None:
        self.port = port
        self.base = base.encode()
        self.idle: list[trio.SocketStream] = []
        self.done = False

    def on_message_complete(self) -> None:
        self.done = True

    async def ask(self, number: int) -> None:
        stream = (
            self.idle.pop() if self.idle else await trio.open_tcp_stream("127.0.0.1", self.port)
        )
        body = json.dumps(asked(number)).encode()
        head = b"POST %s/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
        await stream.send_all(head % (self.base, len(body)) + body)
        watch = Bare(0)
        parser = httptools.HttpResponseParser(watch)
        while not watch.done:
            parser.feed_data(await stream.receive_some(65536))
        self.idle.append(stream)


def in_c(port: int, calls: int, in_flight: int, build: Path) -> float:
    command = [str(build / "load"), str(port), str(in_flight), str(calls * 10)]
    shown = subprocess.run(command, capture_output=True, check=True, text=True)
    return float(json.loads(shown.stdout)["rps"])


def compiled(build: Path) -> None:
    build.mkdir(exist_ok=True)
    for name in ("mock", "load"):
        source, target = HERE / f"{name}.c", build / name
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            command = ["gcc", "-O2", "-w", "-o", str(target), str(source), "-lm"]
            subprocess.run(command, check=True)


@contextmanager
def mock(build: Path, latency: float) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pin = ["taskset", "-c", "1"] if shutil.which("taskset") else []
    command = [*pin, str(build / "mock"), "--port", str(port), f"lat={latency}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            time.sleep(0.3)
            yield port
        finally:
            server.kill()


async def measured(name: str, url: str, port: int, calls: int, in_flight: int) -> float:
    options = {"url": url, "concurrency": in_flight}
    match name:
        case "openai SDK":
            return await sdk(url, max(in_flight, calls // 10), in_flight)
        case "dpipe model":
            return await over(openai_model("m", "x", read_options("m", options)), calls, in_flight)
        case "dpipe model behind its gate":
            return await over(make_model("m", "openai", "x", options), calls, in_flight)  # type: ignore[arg-type]
        case _:
            return await spread(Bare(port).ask, calls, in_flight)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.0, help="of the server, in ms")
    given = parser.parse_args()
    build = HERE.parent / "build"
    compiled(build)
    names = ("trio + httptools, bare", "dpipe model", "dpipe model behind its gate", "openai SDK")
    with mock(build, given.latency) as port:
        url = f"http://127.0.0.1:{port}/v1"
        rates = {
            name: trio.run(measured, name, url, port, given.calls, given.in_flight)
            for name in names
        }
        rates["C, epoll"] = in_c(port, given.calls, given.in_flight, build)
    ceiling = rates["trio + httptools, bare"]
    for name, rate in rates.items():
        print(f"{name:30}{rate:10,.0f} calls/s{rate / ceiling:8.2f} of bare")


if __name__ == "__main__":
    main()
