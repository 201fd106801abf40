"""Where a program's files are: inputs from globs and folders, names shown, safe file names."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from hashlib import blake2b
from pathlib import Path

from dpipe.runtime.errors import UsageError

_GLOB = re.compile(r"[*?\[]")
_LONGEST = 120
# `%` and `~` are the marks of what was changed, so a name that holds them is changed itself.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|%~\ud800-\udfff]|^[. ]|[. ]$')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_OURS = re.compile(r"\.(?=(rejects|partial)$)")


def find_inputs(paths: str | Sequence[str], base: Path, suffixes: Sequence[str] = ()) -> list[Path]:
    """The files that paths, globs and folders name, each once.

    Paths are relative to ``base``; what one of them names is sorted, and the paths keep their
    order. Of a folder, the files with one of the ``suffixes`` at any depth, hidden ones aside.
    Raises ``UsageError`` P0001 where a path does not exist, P0002 where nothing matches.
    """
    if not paths:
        raise UsageError("no path is given", code="P0002")
    found: dict[str, Path] = {}
    for path in [paths] if isinstance(paths, str) else paths:
        for file in _find(path, base, suffixes):
            found.setdefault(os.path.realpath(file), file)
    return list(found.values())


def _find(path: str, base: Path, suffixes: Sequence[str]) -> list[Path]:
    place = base / path
    if not can_be(path) or not path.strip():
        raise UsageError(f"{path!r} is no path", code="P0001")
    if os.path.isdir(place):
        return _in_folder(path, place, suffixes)
    if os.path.exists(place):
        return [place]
    if _GLOB.search(path):
        return _matches(path, base)
    raise UsageError(f"there is no file `{path}` in {base}", code="P0001", hint=_nearby(place))


def _nearby(place: Path) -> str | None:
    """The way out of a missing file: what its folder does hold, or that there is no folder."""
    if not os.path.isdir(place.parent):
        return f"the folder {place.parent} does not exist"
    names = sorted(each.name for each in place.parent.iterdir() if each.suffix == place.suffix)
    return f"its folder holds {', '.join(f'`{name}`' for name in names[:5])}" if names else None


def _in_folder(path: str, folder: Path, suffixes: Sequence[str]) -> list[Path]:
    pattern = os.path.join(glob.escape(str(folder)), "**", "*")
    files = _files(glob.iglob(pattern, recursive=True))
    kept = [file for file in files if file.suffix.lower() in suffixes or not suffixes]
    if not kept:
        wanted = " or ".join(f"`{suffix}`" for suffix in suffixes) or "any"
        raise UsageError(f"the folder `{path}` holds no {wanted} file", code="P0002")
    return kept


def _matches(path: str, base: Path) -> list[Path]:
    pattern = os.path.join(glob.escape(str(base)), path)
    files = _files(glob.iglob(pattern, recursive=True))
    if not files:
        raise UsageError(f"`{path}` matches no file in {base}", code="P0002")
    return files


def _files(names: Iterable[str]) -> list[Path]:
    """The files among the names, in an order that is the same on every machine."""
    return sorted(
        (Path(name) for name in names if os.path.isfile(name)), key=lambda path: path.parts
    )


def would_find(path: str, base: Path, suffixes: Collection[str], file: Path) -> bool:
    """Whether ``find_inputs`` would take this file as well, were it there.

    Of a path that is a file, never: it stands for itself alone.
    """
    place = base / path
    if os.path.isdir(place):
        return file.suffix.lower() in suffixes and _is_below(place, ["**", "*"], file)
    if os.path.exists(place):
        return False
    folder, pattern = base, [*Path(path).parts]
    while pattern and not _GLOB.search(pattern[0]):
        folder /= pattern.pop(0)
    return bool(pattern) and _is_below(folder, pattern, file)


def _is_below(folder: Path, pattern: Sequence[str], file: Path) -> bool:
    """Whether a file lies in the folder, links followed, at a place that matches the pattern."""
    real = os.path.realpath(folder)
    return file.is_relative_to(real) and _is_match(pattern, file.relative_to(real).parts)


def _is_match(pattern: Sequence[str], names: Sequence[str]) -> bool:
    if not pattern:
        return not names
    if pattern[0] == "**" and _is_match(pattern[1:], names):
        return True
    if not names or (names[0].startswith(".") and not pattern[0].startswith(".")):
        return False
    if pattern[0] == "**":
        return _is_match(pattern, names[1:])
    return fnmatchcase(names[0], pattern[0]) and _is_match(pattern[1:], names[1:])


def can_be(path: str) -> bool:
    """Whether a system can have such a path at all: no NUL in it, and no half of a character."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def inside(path: Path, project: Path) -> bool:
    """Whether a path lies below the project once every link is followed; it need not exist."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(project))


def display(path: Path, project: Path) -> str:
    """A path as people and rows have it: relative to the project, with forward slashes.

    A file outside has ``../`` in front. Bytes that are no text are shown as ``\\xff``.
    """
    try:
        name = os.path.relpath(path, project)
    except ValueError:  # another drive
        name = str(path)
    return os.fsencode(name.replace(os.sep, "/")).decode("utf-8", "backslashreplace")


def safe_name(value: str) -> str:
    """A part of a file name that stands for a value: no two values share one.

    What a file system cannot hold is written ``%XX``, as in URLs; a long value is cut and ends
    in ``~`` and its hash; the empty one is ``%empty``.
    """
    if not value:
        return "%empty"
    if _RESERVED.fullmatch(value):
        value, first = value[1:], value[0]
        return _cut(_percent(first) + _UNSAFE.sub(_escaped, value), first + value)
    return _cut(_OURS.sub("%2E", _UNSAFE.sub(_escaped, value)), value)


def _escaped(found: re.Match[str]) -> str:
    return _percent(found[0])


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def _cut(name: str, value: str) -> str:
    if len(name.encode()) <= _LONGEST:
        return name
    digest = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{name.encode()[:_LONGEST].decode(errors='ignore')}~{digest}"
