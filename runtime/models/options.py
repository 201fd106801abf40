"""What a program may say about an endpoint, read and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from dpipe.runtime.errors import UsageError
from dpipe.runtime.models.adapter import Adapter
from dpipe.runtime.secrets import Secret

_SCHEMES = ("http", "https", "simulated", "scripted", "own")


def _as_list(value: Any) -> Any:
    urls = [value] if isinstance(value, str) else value
    return [url.strip() if isinstance(url, str) else url for url in urls]


_Change = Annotated[
    Callable[[Any], Any] | None, WithJsonSchema({"description": "a function, `body -> …`"})
]


class Price(BaseModel):
    """USD per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(0.0, ge=0)
    output: float = Field(0.0, ge=0)


class ModelOptions(BaseModel):
    """Options of ``openai(…)`` and ``embedder(…)``; what has no field here is a sampling option."""

    model_config = ConfigDict(frozen=True, extra="allow", arbitrary_types_allowed=True)

    url: Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]
    key: Annotated[Secret | None, WithJsonSchema({"description": '`secret("NAME")`'})] = None
    timeout: float = Field(600.0, gt=0, description="seconds for one attempt")
    concurrency: int | None = Field(None, ge=1, description="calls at once, at most")
    rpm: float | None = Field(None, gt=0, description="requests per minute")
    tpm: float | None = Field(None, gt=0, description="tokens per minute")
    price: Price | None = None
    context: int | None = Field(None, ge=1, description="tokens of prompt and answer together")
    request: _Change = None
    response: _Change = None
    embed: _Change = None
    body: dict[str, Any] = Field({}, description="what only this endpoint takes")

    @property
    def sampling(self) -> dict[str, Any]:
        """Options that go into every request: temperature, max_tokens, …"""
        return dict(self.model_extra or {})

    @property
    def adapter(self) -> Adapter | None:
        """How an endpoint of another wire format is spoken to."""
        if self.request is None and self.response is None:
            return None
        return Adapter(self.request, self.response)

    @property
    def scheme(self) -> str:
        """``http``, ``https``, ``simulated``, ``scripted``, or ``own`` where a function answers."""
        return urlsplit(self.url[0]).scheme


def read_options(name: str, options: Mapping[str, Any]) -> ModelOptions:
    """The options of the model called ``name``; raises ``UsageError``."""
    try:
        place = {"url": "own:"} if "embed" in options else {}
        read = ModelOptions.model_validate({**place, **options})
    except ValidationError as error:
        raise UsageError(f"model `{name}`: {_first(error)}") from None
    for url in read.url:
        _check_url(name, url)
    return read


def _first(error: ValidationError) -> str:
    """The first mistake; values are left out, for one of them may be a key."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"`{where}:` is missing"
    message = first["msg"]
    return f"`{where}:` {message[:1].lower()}{message[1:]}"


def _check_url(name: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme in _SCHEMES and (parts.netloc or not parts.scheme.startswith("http")):
        return
    shown = url.rpartition("@")[2]
    raise UsageError(
        f'model `{name}`: "{shown}" is no address of an endpoint',
        hint='write `url: "https://host/v1"`, or "simulated:" for a run without a network',
    )
