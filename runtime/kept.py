"""The answers of recorded functions: kept in the journal, and taken from there.

A call is known by its function (the file and name of its target, and its definition) and its
arguments. What it gave is kept as it was, so that it can be held to another type later. A failure
is no answer: it stands for its run, and the next one calls again.
"""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from dpipe.lang.types import JSON
from dpipe.runtime.calling import Answer, Function, shown_args
from dpipe.runtime.errors import Misfit
from dpipe.runtime.fit import fit
from dpipe.runtime.guarded import why
from dpipe.runtime.journal import Journal, Recorded
from dpipe.runtime.models.protocol import Reply
from dpipe.runtime.python import file_of
from dpipe.runtime.values import key_of

_NOT_THERE = "a replay, and the journal has no answer to this"


class Kept:
    """The recorded functions of one run; with ``replay`` none is called."""

    def __init__(self, journal: Journal, root: Path, *, replay: bool) -> None:
        self._journal = journal
        self._root = root
        self._replay = replay
        self._scopes: dict[str, str] = {}
        self._under_way: dict[bytes, trio.Event] = {}

    async def answer(self, function: Function, args: Sequence[Any]) -> Answer:
        """The answer to a call; equal calls that are made at the same time share it."""
        key = self._key(function, args)
        while (other := self._under_way.get(key)) is not None:
            await other.wait()
        if (known := self._recalled(function, key)) is not None:
            return known
        self._under_way[key] = trio.Event()
        try:
            reply, said = await _called(function, args)
            await self._journal.record(
                key,
                0,
                outcome="error" if reply is None else "ok",
                message=said,
                reply=reply,
                model=self._scope(function.target),
                prompt=function.target.rpartition(":")[2],
            )
        finally:
            self._under_way.pop(key).set()
        return Answer(failure=said) if reply is None else _read(function, reply)

    def answer_here(self, function: Function, args: Sequence[Any]) -> Answer:
        """The answer to a call that cannot wait: a new one is not kept."""
        known = self._recalled(function, self._key(function, args))
        return known or Answer(function.here(*args))

    def _recalled(self, function: Function, key: bytes) -> Answer | None:
        entries: Sequence[Recorded] = self._journal.recall(key)
        last = entries[-1] if entries else None
        if last is not None and last.reply is not None:
            return _read(function, last.reply)
        if last is not None and (self._replay or last.run == self._journal.run):
            return Answer(failure=last.message)
        return Answer(failure=_NOT_THERE) if self._replay else None

    def _key(self, function: Function, args: Sequence[Any]) -> bytes:
        return key_of("python", self._scope(function.target), shown_args(args))

    def _scope(self, target: str) -> str:
        """What tells a function from others, and from itself before it was changed."""
        if target not in self._scopes:
            self._scopes[target] = scope_of(target, self._root)
        return self._scopes[target]


def scope_of(target: str, root: Path) -> str:
    """A function's target as seen from the project, and a digest of its definition.

    The definition is that of the function alone, without its layout, comments and docstring; of
    one in a package it is not looked at.
    """
    file, name = file_of(target), target.rpartition(":")[2]
    if file is None:
        return f"python:{target}"
    place = os.path.relpath(file.absolute(), root.absolute())
    definition = key_of(_definition(file.read_bytes(), name)).hex()[:12]
    return f"python:{place}:{name}@{definition}"


def _definition(source: bytes, name: str) -> str:
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]
            return ast.unparse(node)
    return ast.unparse(tree)


async def _called(function: Function, args: Sequence[Any]) -> tuple[Reply | None, str]:
    """What a call gives, as the journal holds it; none where it fails, and why."""
    try:
        value = await function.there(args)
    except (Exception, SystemExit) as error:
        return None, why(function.target, error)
    try:
        return Reply(json.dumps(fit(value, JSON))), ""
    except Misfit as wrong:
        return None, f"`{function.target}` gave what cannot be kept: {wrong}"


def _read(function: Function, reply: Reply) -> Answer:
    return function.read(json.loads(reply.text))
