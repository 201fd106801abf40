"""Whether a value fits a type, and the value as that type has it.

``fitter`` compiles a type once; the function that it gives takes any value that JSON can hold
and returns it fitted, or raises ``Misfit`` with the path of the part that is wrong.

What changes in fitting: ``7.0`` becomes ``7`` where an int is needed, unknown columns of a record
go, an absent optional field becomes None, an image's bytes a data URL. Nothing else is converted;
a bool is no int.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from math import isfinite
from typing import Any, TypeAlias

import msgspec

from dpipe.lang import types
from dpipe.runtime.errors import Misfit

Fitter: TypeAlias = Callable[[Any], Any]
TextFitter: TypeAlias = Callable[[str], Any]
_Trail: TypeAlias = "tuple[_Trail, str | int] | None"

_SHOWN = 60
_NUMBER = re.compile(r"[+-]?(\d[\d_]*)?\.?\d*([eE][+-]?\d+)?", re.ASCII)
_PICTURES = ((b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))
_TRUTHS = {"true": True, "false": False}


def fit(value: Any, type: types.Type) -> Any:
    """The value as the type has it; raises ``Misfit``."""
    return fitter(type)(value)


def from_text(text: str, type: types.Type) -> Any:
    """A cell of a table or an argument of a command, read as the type; raises ``Misfit``.

    Lists, records and json are JSON; an empty text is null where null is allowed.
    """
    return text_fitter(type)(text)


@lru_cache(maxsize=1024)
def fitter(type: types.Type) -> Fitter:
    """``fit`` compiled for one type."""
    match type:
        case types.Str():
            return _text
        case types.Bool():
            return _bool
        case types.Int():
            return _int(type)
        case types.Float():
            return _float(type)
        case types.Enum():
            return _enum(type)
        case types.List():
            return _list(type)
        case types.Again():
            return _again(type)
        case types.Record():
            return _record(type, fitter)
        case types.Optional():
            return _optional(type)
        case types.Union():
            return _union(type)
        case types.Json():
            return _json
        case types.Image():
            return _image
        case types.Unknown():
            return _any
        case types.Null():
            return _null
        case _:
            return _refuse(type)


@lru_cache(maxsize=1024)
def row_fitter(row: types.Record, *, text: bool = False) -> Fitter:
    """``fitter`` for source rows; with ``text`` their values are cells, read as their types.

    A last field ``extra: json`` gathers the unknown columns; what a column ``extra`` holds as a
    record already joins them.
    """
    plain = _record(row, text_fitter if text else fitter)
    if not (row.fields and row.fields[-1] == types.Field("extra", types.JSON)):
        return plain
    known = frozenset(row.names()) - {"extra"}
    fit_known = _record(row.without(["extra"]), text_fitter if text else fitter)

    def fit_row(value: Any) -> dict[str, Any]:
        fitted: dict[str, Any] = fit_known(value)
        unknown = {name: part for name, part in value.items() if name not in known}
        if isinstance(unknown.get("extra"), dict):
            unknown = {**unknown.pop("extra"), **unknown}
        fitted["extra"] = _json(unknown)
        return fitted

    return fit_row


def shown(value: Any) -> str:
    """A value as a message shows it: JSON on one line, cut where it is long."""
    try:
        text = msgspec.json.encode(value).decode() if _finite(value) else str(value)
    except (TypeError, ValueError, RecursionError):
        text = ascii(value) if isinstance(value, str) else f"a Python {type(value).__name__}"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or isfinite(value)


def _misfit(expected: types.Type, value: Any) -> Misfit:
    return Misfit("", f"expected {_wanted(expected)}, found {shown(value)}")


def _wanted(type: types.Type) -> str:
    text = types.show_short(type)
    return text if len(text) <= 2 * _SHOWN else text[: 2 * _SHOWN - 1] + "…"


# -- one function a type -------------------------------------------------------------------------


def _any(value: Any) -> Any:
    return value


def _null(value: Any) -> None:
    if value is not None:
        raise _misfit(types.NULL, value)


def _refuse(type: types.Type) -> Fitter:
    def fit_none(value: Any) -> Any:
        raise _misfit(type, value)

    return fit_none


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _misfit(types.STR, value)
    if not value.isascii():
        _refuse_surrogates(value)
    return value


def _refuse_surrogates(text: str, trail: _Trail = None) -> None:
    """A lone half of a surrogate pair is no character: no file can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError as e:
        half = f"expected text, found the half character {text[e.start]!a}"
        raise Misfit(_path(trail), half) from None


def _bool(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise _misfit(types.BOOL, value)


def _int(type: types.Int) -> Fitter:
    low, high = type.low, type.high

    def fit_int(value: Any) -> int:
        if value.__class__ is float and value.is_integer():
            value = int(value)
        if value.__class__ is not int:
            raise _misfit(type, value)
        if (low is not None and value < low) or (high is not None and value > high):
            raise _misfit(type, value)
        return value

    return fit_int


def _float(type: types.Float) -> Fitter:
    low, high = type.low, type.high

    def fit_float(value: Any) -> float:
        if value.__class__ is not float and value.__class__ is not int:
            raise _misfit(type, value)
        if not _is_float(value):
            raise _misfit(type, value)
        if (low is not None and value < low) or (high is not None and value > high):
            raise _misfit(type, value)
        return value

    return fit_float


def _is_float(value: float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # an int beyond what a float can hold
        return False


def _enum(type: types.Enum) -> Fitter:
    allowed = frozenset(type.values)

    def fit_enum(value: Any) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise _misfit(type, value)

    return fit_enum


def _list(type: types.List) -> Fitter:
    fit_one = fitter(type.of)

    def fit_list(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise _misfit(type, value)
        fitted: list[Any] = []
        try:
            for element in value:
                fitted.append(fit_one(element))
        except Misfit as wrong:
            raise Misfit(f"[{len(fitted)}]{wrong.path}", wrong.message) from None
        return fitted

    return fit_list


def _record(type: types.Record, fitter_of: Callable[[types.Type], Fitter]) -> Fitter:
    fields = tuple((field.name, fitter_of(field.type), field.type) for field in type.fields)
    keep_unknown = type.open

    def fit_record(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _misfit(type, value)
        fitted = dict(value) if keep_unknown else {}
        for name, fit_one, wanted in fields:
            try:
                fitted[name] = fit_one(value[name]) if name in value else _absent(wanted)
            except Misfit as wrong:
                raise Misfit(f"{field_path(name)}{wrong.path}", wrong.message) from None
        return fitted

    return fit_record


def _again(type: types.Again) -> Fitter:
    """A record that contains itself is compiled when the first value comes."""
    fit_record: Fitter | None = None

    def fit_again(value: Any) -> Any:
        nonlocal fit_record
        if fit_record is None:
            fit_record = _record(type, fitter)
        try:
            return fit_record(value)
        except RecursionError:
            raise Misfit("", "nested too deeply") from None

    return fit_again


def _absent(wanted: types.Type) -> Any:
    """What a field that is not there reads as: null where its type allows that."""
    if not (types.may_be_null(wanted) or isinstance(wanted, types.Json | types.Unknown)):
        raise Misfit("", f"expected {_wanted(wanted)}, but the field is missing")
    return None


def field_path(name: str) -> str:
    """A field as a path of the language: ``.a``, ``."two words"``."""
    return f".{name}" if name.isidentifier() else f".{types.quote(name)}"


def _optional(type: types.Optional) -> Fitter:
    fit_one = fitter(type.of)

    def fit_optional(value: Any) -> Any:
        return None if value is None else fit_one(value)

    return fit_optional


def _union(type: types.Union) -> Fitter:
    options = tuple((option, fitter(option)) for option in type.options)

    def fit_union(value: Any) -> Any:
        for _, fit_one in sorted(options, key=lambda option: -_known(option[0], value)):
            try:
                return fit_one(value)
            except Misfit:
                continue
        raise _misfit(type, value)

    return fit_union


def _known(option: types.Type, value: Any) -> int:
    """How many of a record's fields an option knows, so that the fullest is tried first."""
    if isinstance(option, types.Record) and isinstance(value, dict):
        return sum(name in value for name in option.names())
    return 0


def _image(value: Any) -> str:
    """A path or data URL as it is; bytes as a data URL, so that any row can be written down."""
    if isinstance(value, str) and value:
        return _text(value)
    for start, kind in _PICTURES:
        if isinstance(value, bytes) and value.startswith(start):
            return f"data:image/{kind};base64,{b64encode(value).decode('ascii')}"
    found = "bytes of no known kind" if isinstance(value, bytes) else shown(value)
    raise Misfit("", f"expected an image (a path, a data URL or its bytes), found {found}")


def _json(value: Any) -> Any:
    """The value itself where it holds nothing but what JSON has; deep nesting is no matter."""
    waiting: list[tuple[_Trail, Any]] = [(None, value)]
    while waiting:
        trail, part = waiting.pop()
        if isinstance(part, dict):
            waiting += [((trail, _json_key(trail, name)), part[name]) for name in part]
        elif isinstance(part, list | tuple):
            waiting += [((trail, at), inner) for at, inner in enumerate(part)]
        else:
            _json_leaf(trail, part)
    return value


def _json_key(trail: _Trail, name: Any) -> str:
    if not isinstance(name, str):
        raise Misfit(_path(trail), f"expected a text as a key, found {shown(name)}")
    _json_leaf(trail, name)
    return name


def _json_leaf(trail: _Trail, value: Any) -> None:
    if isinstance(value, str):
        if not value.isascii():
            _refuse_surrogates(value, trail)
    elif not (value is None or isinstance(value, int | float)) or not _finite(value):
        raise Misfit(_path(trail), f"expected a JSON value, found {shown(value)}")


def _path(trail: _Trail) -> str:
    """The steps to a part, which are put together only when it is wrong."""
    steps: list[str] = []
    while trail is not None:
        trail, step = trail
        steps.append(f"[{step}]" if isinstance(step, int) else field_path(step))
    return "".join(reversed(steps))


# -- from text -----------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def text_fitter(type: types.Type) -> TextFitter:
    """``from_text`` compiled for one type."""
    match type:
        case types.Int() | types.Float():
            return _after(_number, type)
        case types.Bool():
            return _after(_truth, type)
        case types.Null():
            return _after(_nothing, type)
        case types.List() | types.Record():
            return _after(_structure, type)
        case types.Json() | types.Unknown():
            return _loose_json
        case types.Optional():
            return _optional_text(type)
        case types.Union():
            return _union_text(type)
        case _:
            return fitter(type)


def _after(read: Callable[[str], Any], type: types.Type) -> TextFitter:
    """Read the text, then fit; a text that cannot be read misfits as it stands."""
    fit_one = fitter(type)

    def fit_text(text: str) -> Any:
        try:
            value = read(text.strip())
        except ValueError:
            raise _misfit(type, text) from None
        return fit_one(value)

    return fit_text


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


def _truth(text: str) -> bool:
    """``true`` and ``false``, in capitals too, as spreadsheets write them."""
    try:
        return _TRUTHS[text.lower()]
    except KeyError:
        raise ValueError(text) from None


def _nothing(text: str) -> None:
    if text:
        raise ValueError(text)


def _structure(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise ValueError(text) from None


def _loose_json(text: str) -> Any:
    """JSON where the text is JSON, null where it is empty, else the text itself."""
    if not text.strip():
        return None
    try:
        return _json(_structure(text))
    except ValueError:
        return _text(text)


def _optional_text(type: types.Optional) -> TextFitter:
    read = text_fitter(type.of)

    def fit_text(text: str) -> Any:
        return read(text) if text else None

    return fit_text


def _union_text(type: types.Union) -> TextFitter:
    """Texts come last: ``7`` is a number where the union has one."""
    last = (types.Str, types.Image)
    options = [text_fitter(o) for o in sorted(type.options, key=lambda o: isinstance(o, last))]

    def fit_text(text: str) -> Any:
        for read in options:
            try:
                return read(text)
            except Misfit:
                continue
        raise _misfit(type, text)

    return fit_text
