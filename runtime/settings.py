"""What changes how a run goes and not what it means: options over environment over file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails

from dpipe.runtime.errors import UsageError

FILE = "dpipe.toml"
PREFIX = "DPIPE_"
NOT_IN_FILE = frozenset({"allow_outside", "allow_python"})
"""What a project must not grant itself: whoever opens it does, by option or environment."""
ONLY_IN_FILE = frozenset({"trust"})

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NUMBER = r"\d+(?:\.\d+)?"
_TIME = rf"{_NUMBER}|(?:{_NUMBER}[smhd])+"
_SHARE = rf"{_NUMBER}%"


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not re.fullmatch(_TIME, value, re.ASCII):
        raise ValueError("must be a time such as 90s, 30m or 1h30m")
    parts = re.findall(rf"({_NUMBER})([smhd]?)", value)
    return sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)


def _errors(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"\d+", value, re.ASCII):
        return int(value)
    if isinstance(value, str) and re.fullmatch(_SHARE, value, re.ASCII):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("must be a number of rows or a share such as 5%")


def _either(kind: str, pattern: str) -> WithJsonSchema:
    text = {"type": "string", "pattern": f"^({pattern})$"}
    return WithJsonSchema({"anyOf": [{"type": kind, "minimum": 0}, text]})


Seconds: TypeAlias = Annotated[
    float, BeforeValidator(_seconds), Field(gt=0), _either("number", _TIME)
]
Errors: TypeAlias = Annotated[
    int | str, BeforeValidator(_errors), _either("integer", rf"{_SHARE}|\d+")
]


class Settings(BaseModel):
    """The settings of a run, whichever place they came from."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    seed: int = Field(0, description="the seed of all chance in a run")
    sample: int | None = Field(None, ge=1, description="use only so many rows of each source")
    max_cost: float | None = Field(None, gt=0, description="stop before more USD are spent")
    max_tokens: int | None = Field(None, ge=1, description="stop before more tokens are used")
    within: Seconds | None = Field(
        None, description="stop after this time: seconds, or as 90s, 30m, 1h30m"
    )
    max_errors: Errors | None = Field(
        None, description="stop when more rows failed: a number, or a share such as 5%"
    )
    canary: int = Field(
        20, ge=0, description="rows of each source that go before the others; 0 for none"
    )
    allow_outside: bool = Field(False, description="let sinks write outside the project")
    allow_python: bool = Field(False, description="run the Python that a program names")
    trust: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (), strict=False, description="folders of the project whose Python may be run"
    )
    color: Literal["auto", "always", "never"] = Field("auto", description="coloured output")
    progress: Literal["auto", "live", "plain", "none"] = Field(
        "auto", description="how a run shows where it stands"
    )

    def too_many_errors(self, failed: int, rows: int) -> bool:
        """Whether more of the rows failed than ``max_errors`` allows."""
        if self.max_errors is None:
            return False
        if isinstance(self.max_errors, int):
            return failed > self.max_errors
        return failed * 100 > float(self.max_errors.removesuffix("%")) * rows

    def trusts(self, root: Path, path: Path) -> bool:
        """Whether the Python at ``path`` may be run in the project at ``root``."""
        folders = ((root / folder).resolve() for folder in self.trust)
        return self.allow_python or any(path.resolve().is_relative_to(f) for f in folders)

    def over(self, lower: Settings) -> Self:
        """These settings, and where one was not given here, that of ``lower``."""
        given = {name: getattr(lower, name) for name in lower.model_fields_set}
        given |= {name: getattr(self, name) for name in self.model_fields_set}
        return self.model_construct(**given)


def load_settings(
    root: Path,
    environ: Mapping[str, str],
    options: Mapping[str, Any],
    written: Callable[[str], str] = str,
) -> Settings:
    """The settings of the project at ``root``; options that are None were not given.

    ``written`` is how whoever gave the options writes their names.
    Raises ``UsageError`` that names the place, for an unknown setting the nearest known one too.
    """
    given = {name: value for name, value in options.items() if value is not None}
    return _of_options(given, written).over(_of_environment(environ)).over(_of_file(root / FILE))


def json_schema() -> dict[str, Any]:
    """The schema of ``dpipe.toml``."""
    schema = Settings.model_json_schema()
    schema["title"] = FILE
    for name in NOT_IN_FILE:
        del schema["properties"][name]
    return schema


# -- the three places ----------------------------------------------------------------------------


def _of_options(options: Mapping[str, Any], written: Callable[[str], str]) -> Settings:
    try:
        return Settings.model_validate(dict(options))
    except ValidationError as error:
        wrong = error.errors()[0]
        raise _trouble(wrong, written(_name(wrong)), map(written, _settings())) from None


def _of_environment(environ: Mapping[str, str]) -> Settings:
    values = {
        name.removeprefix(PREFIX).lower(): text
        for name, text in environ.items()
        if name.startswith(PREFIX) and text
    }
    for name in ONLY_IN_FILE & values.keys():
        raise UsageError(f"`{_variable(name)}` is not read", hint=f"set `{name}` in `{FILE}`")
    try:
        return Settings.model_validate_strings(values)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise _trouble(wrong, _variable(_name(wrong)), map(_variable, _settings())) from None


def _of_file(path: Path) -> Settings:
    text = _read(path)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"`{path}` is not TOML: {error}") from None
    for name in NOT_IN_FILE & values.keys():
        raise UsageError(
            f"`{_line_of(path, text, name)}`: a project cannot give itself `{name}`",
            hint=f"use {option_name(name)} or set {_variable(name)}=true",
        )
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        wrong = error.errors()[0]
        place = _line_of(path, text, _name(wrong))
        raise _trouble(wrong, _name(wrong), _settings() - NOT_IN_FILE, place) from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"`{path}` is not UTF-8") from None


# -- what is said about them ---------------------------------------------------------------------


def _trouble(
    wrong: ErrorDetails, name: str, known: Iterable[str], place: str | None = None
) -> UsageError:
    start = f"`{place}`: " if place else ""
    if wrong["type"] == "extra_forbidden":
        near = get_close_matches(name, list(known), n=1)
        hint = f"did you mean `{near[0]}`?" if near else None
        return UsageError(f"{start}there is no setting `{name}`", hint=hint)
    message = wrong["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    message = message.replace("a valid tuple", "a list")
    return UsageError(f"{start}`{name}` {message}, not {_shown(wrong['input'])}")


def _shown(value: Any) -> str:
    return f"`{value}`" if isinstance(value, str | int | float) else f"a {type(value).__name__}"


def _name(wrong: ErrorDetails) -> str:
    return str(wrong["loc"][0])


def _settings() -> frozenset[str]:
    return frozenset(Settings.model_fields)


def option_name(name: str) -> str:
    """A setting as a command line has it: ``--max-cost``."""
    return "--" + name.replace("_", "-")


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _line_of(path: Path, text: str, name: str) -> str:
    """``dpipe.toml:3``, where ``name`` is set; a table or a quoted name counts too."""
    key = re.compile(rf"""\s*\[*\s*["']?{re.escape(name)}["']?\s*[\].=]""")
    for number, line in enumerate(text.splitlines(), 1):
        if key.match(line):
            return f"{path}:{number}"
    return str(path)
