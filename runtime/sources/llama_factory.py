"""Datasets as LLaMA-Factory's ``dataset_info.json`` lists them.

Whatever its format, a record is a conversation: ``messages`` from the first turn to the last,
``system`` apart. Of preferences ``messages`` end with the user and ``chosen`` and ``rejected``
follow; ``label`` is KTO's. A turn of a tool is not read: its record is told as unreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dpipe.runtime.errors import UsageError
from dpipe.runtime.fit import shown
from dpipe.runtime.paths import display, inside
from dpipe.runtime.sources.base import Context, Read, Reading, Record, Unreadable
from dpipe.runtime.sources.encodings import decode
from dpipe.runtime.sources.files import reason
from dpipe.runtime.sources.pictures import url_of
from dpipe.runtime.values import Values

FILE = "dataset_info.json"
_READERS = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
}


class Columns(Struct, frozen=True):
    """What each part is called in the data; None where it has none."""

    prompt: str = "instruction"
    query: str | None = "input"
    response: str | None = "output"
    history: str | None = None
    messages: str = "conversations"
    system: str | None = None
    tools: str | None = None
    images: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    kto_tag: str | None = None


class Tags(Struct, frozen=True):
    """How a turn is written, and who speaks in it."""

    role_tag: str = "from"
    content_tag: str = "value"
    user_tag: str = "human"
    assistant_tag: str = "gpt"
    observation_tag: str = "observation"
    function_tag: str = "function_call"
    system_tag: str = "system"


class Description(Struct, frozen=True):
    """One entry of the file."""

    file_name: str = ""
    hf_hub_url: str = ""
    ms_hub_url: str = ""
    script_url: str = ""
    subset: str | None = None
    folder: str | None = None
    split: str = "train"
    formatting: Literal["alpaca", "sharegpt"] = "alpaca"
    ranking: bool = False
    columns: Columns = Columns()
    tags: Tags = Tags()


def read(path: str, name: str, *, context: Context) -> Reading:
    """The records of dataset ``name``; ``path`` is the file that lists it, or its folder.

    Its images are read from below that folder. Raises ``UsageError`` where the dataset is not
    listed, or not there.
    """
    info = context.base / path
    info = info / FILE if info.is_dir() else info
    made = _described(info, name, context)
    convert = _Conversion(made, info.parent, context.project)
    return _opened(made, info.parent, context).through(convert, info)


def _described(info: Path, name: str, context: Context) -> Description:
    place = display(info, context.project)
    try:
        entries = msgspec.json.decode(decode(info.read_bytes()))
        entry = entries[name]
    except FileNotFoundError:
        raise UsageError(f"there is no file `{place}`", code="P0001") from None
    except (KeyError, TypeError):
        listed = ", ".join(f"`{each}`" for each in list(entries)[:5])
        message = f"`{place}` lists no dataset `{name}`"
        raise UsageError(message, code="P0001", hint=listed and f"it lists {listed}") from None
    except (OSError, ValueError) as e:
        raise UsageError(f"`{place}` cannot be read: {reason(e)}") from None
    try:
        return msgspec.convert(entry, Description)
    except msgspec.ValidationError as e:
        raise UsageError(f"`{place}`: `{name}`: {str(e)[:1].lower()}{str(e)[1:]}") from None


def _opened(made: Description, folder: Path, context: Context) -> Reading:
    """What reads the raw records, by where they lie."""
    if hub := made.hf_hub_url or made.ms_hub_url:
        reader = "hf" if made.hf_hub_url else "modelscope"
        args = {"split": made.split, "config": made.subset or "", "folder": made.folder or ""}
        return _reader(reader)(hub, **args, context=context)
    if not made.file_name:
        raise UsageError("the dataset is a loading script, which is not run")
    local = replace(context, base=folder)
    file = folder / made.file_name
    if file.is_dir():
        return _reader("hf")(made.file_name, split=made.split, context=local)
    suffix = file.suffix.lower()
    if suffix not in _READERS:
        kinds = ", ".join(f"`{kind}`" for kind in _READERS)
        raise UsageError(f"`{made.file_name}` is none of {kinds}")
    name = "jsonl" if suffix == ".json" and _is_lines(file) else _READERS[suffix]
    return _reader(name)(made.file_name, context=local)


def _reader(name: str) -> Callable[..., Reading]:
    """A reader, whose packages only those need who name it."""
    read: Callable[..., Reading] = import_module(f"dpipe.runtime.sources.{name}").read
    return read


def _is_lines(file: Path) -> bool:
    """Whether a ``.json`` holds a record a line, as the `datasets` library takes it too."""
    try:
        with file.open("rb") as opened:
            first, second = opened.readline().strip(), opened.readline().strip()
    except OSError:
        return False
    return first.startswith(b"{") and first.endswith(b"}") and second.startswith(b"{")


class _Conversion:
    """Makes a conversation of each record."""

    def __init__(self, made: Description, folder: Path, project: Path) -> None:
        self._made = made
        self._columns, self._tags = made.columns, made.tags
        self._folder, self._project = folder, project
        self._roles = {
            made.tags.user_tag: "user",
            made.tags.assistant_tag: "assistant",
            made.tags.system_tag: "system",
        }

    def __call__(self, found: Read) -> Read:
        if not isinstance(found, Record):
            return found
        try:
            values = self._conversation(found.values)
        except (OSError, ValueError) as wrong:
            return Unreadable(found.place, reason(wrong), found.values)
        return Record(values, found.identity, found.place)

    def _conversation(self, raw: Values) -> Values:
        alpaca = self._made.formatting == "alpaca"
        messages = self._asked(raw) if alpaca else self._turns(raw)
        system = self._text(raw, self._columns.system)
        if messages[:1] and messages[0]["role"] == "system":
            system = messages.pop(0)["content"]
        return {
            "messages": messages,
            "system": system or None,
            "chosen": self._preferred(raw, self._columns.chosen),
            "rejected": self._preferred(raw, self._columns.rejected),
            "label": self._label(raw),
            "tools": self._text(raw, self._columns.tools) or None,
            "images": self._images(raw),
        }

    # -- alpaca ----------------------------------------------------------------------------------

    def _asked(self, raw: Values) -> list[Values]:
        columns = self._columns
        messages: list[Values] = []
        for pair in self._value(raw, columns.history) or []:
            if not (isinstance(pair, list) and len(pair) == 2):
                raise ValueError(f"`{columns.history}`: expected pairs, found {shown(pair)}")
            messages += _message("user", pair[0]), _message("assistant", pair[1])
        prompt = self._needed(raw, columns.prompt)
        query = self._text(raw, columns.query)
        messages.append(_message("user", f"{prompt}\n{query}" if query else prompt))
        answer = None if self._made.ranking else self._text(raw, columns.response)
        return [*messages, _message("assistant", answer)] if answer else messages

    # -- sharegpt --------------------------------------------------------------------------------

    def _turns(self, raw: Values) -> list[Values]:
        turns = self._needed(raw, self._columns.messages)
        if not isinstance(turns, list):
            raise ValueError(f"`{self._columns.messages}`: expected turns, found {shown(turns)}")
        return [self._turn(turn, at) for at, turn in enumerate(turns)]

    def _turn(self, turn: Any, at: int) -> Values:
        tags = self._tags
        if not isinstance(turn, Mapping) or tags.role_tag not in turn:
            raise ValueError(f"turn {at}: expected `{tags.role_tag}`, found {shown(turn)}")
        speaker = turn[tags.role_tag]
        if speaker in (tags.observation_tag, tags.function_tag):
            raise ValueError(f"turn {at}: it is a tool's (`{speaker}`), which is not read")
        if speaker not in self._roles:
            raise ValueError(f"turn {at}: `{tags.role_tag}` is {shown(speaker)}, none of the tags")
        return _message(self._roles[speaker], turn.get(tags.content_tag))

    # -- both ------------------------------------------------------------------------------------

    def _preferred(self, raw: Values, column: str | None) -> str | None:
        value = self._value(raw, column)
        if isinstance(value, Mapping):
            value = value.get(self._tags.content_tag)
        if column and not isinstance(value, str):
            raise ValueError(f"`{column}`: expected an answer, found {shown(value)}")
        return value if isinstance(value, str) else None

    def _label(self, raw: Values) -> bool | None:
        column = self._columns.kto_tag
        value = self._value(raw, column)
        if isinstance(value, str):  # the cell of a table
            value = {"true": True, "false": False}.get(value.lower(), value)
        if column and not isinstance(value, bool):
            raise ValueError(f"`{column}`: expected true or false, found {shown(value)}")
        return value if isinstance(value, bool) else None

    def _images(self, raw: Values) -> list[str]:
        value = self._value(raw, self._columns.images) or []
        return [self._image(each) for each in (value if isinstance(value, list) else [value])]

    def _image(self, image: Any) -> str:
        if isinstance(image, bytes):
            return url_of(image)
        if not isinstance(image, str):
            raise ValueError(f"`{self._columns.images}`: expected a path, found {shown(image)}")
        file = self._folder / image
        if not inside(file, self._project):
            raise ValueError(f"the image `{image}` lies outside the project")
        try:
            return url_of(file.read_bytes())
        except (OSError, ValueError) as wrong:
            raise ValueError(f"the image `{image}`: {reason(wrong)}") from None

    def _value(self, raw: Values, column: str | None) -> Any:
        return raw.get(column) if column else None

    def _needed(self, raw: Values, column: str) -> Any:
        if raw.get(column) is None:
            columns = ", ".join(f"`{name}`" for name in raw)
            raise ValueError(f"has no `{column}`; its columns are {columns}")
        return raw[column]

    def _text(self, raw: Values, column: str | None) -> str | None:
        value = self._value(raw, column)
        if value is not None and not isinstance(value, str):
            raise ValueError(f"`{column}`: expected a text, found {shown(value)}")
        return value


def _message(role: str, content: Any) -> Values:
    if not isinstance(content, str):
        raise ValueError(f"expected the text of a turn, found {shown(content)}")
    return {"role": role, "content": content}
