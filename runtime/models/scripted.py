"""A model whose answers stand in a file, for tests: ``url: "scripted:answers.jsonl"``.

The file is a list of entries, as a JSON array or one a line:

    { "match": "Paris", "reply": { "score": 7 }, "times": 1 }

A request takes the first entry whose ``match`` stands in its prompt (every one, if left out) and
which is not used up: ``times`` limits its uses. ``reply`` is text, or JSON that is sent as text;
``finish``, ``refusal`` and ``reasoning`` are a reply's, and ``unavailable`` (a message) is
passing trouble instead. A request without an entry is rejected.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import trio
from msgspec import Struct

from dpipe.runtime.errors import UsageError
from dpipe.runtime.models.passages import text_of
from dpipe.runtime.models.protocol import (
    Finish,
    RejectedRequest,
    Reply,
    Request,
    Unavailable,
    Usage,
)
from dpipe.runtime.models.simulated import tokens_in

SCOPE = "scripted:"


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """One scripted answer."""

    reply: Any = ""
    match: str = ""
    times: int | None = None
    finish: Finish = "stop"
    refusal: str | None = None
    reasoning: str | None = None
    unavailable: str | None = None


class ScriptedModel:
    """Answers from its entries, in the order of asking."""

    def __init__(self, name: str, id: str, entries: list[Entry]) -> None:
        self.name = name
        self.scope = SCOPE + id
        self._entries = entries
        self._uses: Counter[int] = Counter()

    async def complete(self, request: Request) -> Reply:
        await trio.lowlevel.checkpoint()
        prompt = "\n".join([*map(text_of, request.messages), request.raw or ""])
        entry = self._take(prompt)
        if entry.unavailable is not None:
            raise Unavailable(entry.unavailable, kind="server")
        text = entry.reply
        if not isinstance(text, str):
            text = msgspec.json.encode(text).decode()
        usage = Usage(tokens_in(prompt), tokens_in(text))
        return Reply(text, entry.finish, entry.refusal, entry.reasoning, usage)

    async def aclose(self) -> None:
        """There is nothing to close."""

    def _take(self, prompt: str) -> Entry:
        for index, entry in enumerate(self._entries):
            spent = entry.times is not None and self._uses[index] >= entry.times
            if entry.match in prompt and not spent:
                self._uses[index] += 1
                return entry
        start = " ".join(prompt.split())[:80]
        raise RejectedRequest(f"no scripted answer is left for: {start}", status=400)


def read_script(path: str) -> list[Entry]:
    """The entries of a file; raises ``UsageError``."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        if text.lstrip().startswith("["):
            return msgspec.json.decode(text, type=list[Entry])
        return msgspec.json.Decoder(Entry).decode_lines(text)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"the script {path} cannot be read: {reason}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"the script {path} is not as it should be: {error}") from None
    except ValueError:
        raise UsageError(f"the script {path!r} is no path") from None
