"""How the journal lies on disk: its tables, its format's version, its texts packed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from dpipe.runtime.database import Database
from dpipe.runtime.errors import UsageError
from dpipe.runtime.models.protocol import Reply

FORMAT = 2
APPLICATION = int.from_bytes(b"dpip", "big")
COMPRESSED_FROM = 512
KEY = 16
"""Bytes of a key."""

_TABLES = (
    """CREATE TABLE IF NOT EXISTS runs (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL, program TEXT NOT NULL,
        began REAL NOT NULL, ended REAL
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS attempts (
        key BLOB NOT NULL, attempt INTEGER NOT NULL, run INTEGER NOT NULL, outcome TEXT NOT NULL,
        model TEXT NOT NULL, max_tokens INTEGER, at REAL NOT NULL, texts BLOB NOT NULL,
        prompt TEXT NOT NULL DEFAULT ''
    ) STRICT""",
    "CREATE UNIQUE INDEX IF NOT EXISTS attempt_of_key ON attempts (key, attempt)",
    """CREATE TABLE IF NOT EXISTS vectors (
        key BLOB NOT NULL, vector BLOB NOT NULL,
        model TEXT NOT NULL DEFAULT '', at REAL NOT NULL DEFAULT 0
    ) STRICT""",
    "CREATE UNIQUE INDEX IF NOT EXISTS vector_of_key ON vectors (key)",
    """CREATE TABLE IF NOT EXISTS uses (
        program TEXT NOT NULL, variant BLOB NOT NULL, run INTEGER NOT NULL, at REAL NOT NULL,
        keys BLOB NOT NULL, PRIMARY KEY (program, variant)
    ) STRICT""",
)

# Format 1 did not say what a prompt or a run used; 0 is a time that is not known.
_FROM_1 = (
    "ALTER TABLE attempts ADD COLUMN prompt TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE vectors ADD COLUMN model TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE vectors ADD COLUMN at REAL NOT NULL DEFAULT 0",
    _TABLES[-1],
)


def prepare(database: Database) -> None:
    """Make the tables of a new file, those of an older format into this one's.

    Refuses a file of another kind or of a newer format.
    """
    # The tables first: another program may make them now, and the rest together with them.
    [(tables,)] = database.rows("SELECT count(*) FROM sqlite_schema")
    [(kind,)] = database.rows("PRAGMA application_id")
    version = _version(database)
    if kind != APPLICATION and tables:
        raise UsageError(f"`{database.path}` is not a journal of dpipe", hint="move it away")
    if version > FORMAT:
        raise UsageError(
            f"`{database.path}` has format {version}; this dpipe reads up to {FORMAT}",
            hint="use the dpipe that wrote it, or a newer one",
        )
    if not tables:
        _create(database)
    elif version < FORMAT:
        _renew(database)


def _version(database: Database) -> int:
    [(version,)] = database.rows("PRAGMA user_version")
    return int(version)


def _create(database: Database) -> None:
    """All at once, so that no other program ever sees a part; it may do the same meanwhile."""
    with database.transaction():
        for statement in _TABLES:
            database.rows(statement)
        database.rows(f"PRAGMA application_id = {APPLICATION}")
        database.rows(f"PRAGMA user_version = {FORMAT}")


def _renew(database: Database) -> None:
    """All at once as well; no entry is rewritten."""
    with database.transaction():
        if _version(database) == FORMAT:
            return
        for statement in _FROM_1:
            database.rows(statement)
        database.rows(f"PRAGMA user_version = {FORMAT}")


def seal(key: bytes, data: bytes) -> bytes:
    """The data behind a checksum of it and its key: SQLite has none of its own."""
    return _checksum(key, data) + data


def unseal(key: bytes, sealed: bytes) -> bytes:
    """The data; raises ``ValueError`` where it, or the key that led to it, has changed."""
    data = sealed[4:]
    if sealed[:4] != _checksum(key, data):
        raise ValueError("its checksum is wrong")
    return data


def keys_in(keys: bytes) -> Iterator[bytes]:
    """Keys that lie one after the other."""
    return (keys[at : at + KEY] for at in range(0, len(keys), KEY))


def _checksum(key: bytes, data: bytes) -> bytes:
    return zlib.crc32(data, zlib.crc32(key)).to_bytes(4, "little")


class _Texts(Struct, frozen=True, array_like=True):
    """What of an attempt is packed."""

    message: str
    reply: Reply | None


# Packed texts are msgpack (an array: the first byte is above 0x80), or JSON ("[") where a text
# holds half of a surrogate pair, which UTF-8 cannot; either in zlib ("x") where that is shorter.


def pack(message: str, reply: Reply | None) -> bytes:
    """The texts as few bytes, whatever is in them."""
    texts = _Texts(message, reply)
    try:
        plain = msgspec.msgpack.encode(texts)
    except UnicodeEncodeError:
        plain = json.dumps(msgspec.to_builtins(texts)).encode("ascii")
    if len(plain) < COMPRESSED_FROM:
        return plain
    return min(plain, zlib.compress(plain, 1), key=len)


def unpack(packed: bytes) -> tuple[str, Reply | None]:
    """What ``pack`` was given; raises ``ValueError`` for what a newer dpipe packed."""
    plain = zlib.decompress(packed) if packed.startswith(b"x") else packed
    if plain.startswith(b"["):
        texts = msgspec.convert(json.loads(plain), _Texts)
    else:
        texts = msgspec.msgpack.decode(plain, type=_Texts)
    return texts.message, texts.reply
