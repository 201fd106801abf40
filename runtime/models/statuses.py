"""What an endpoint's error statuses mean: whose trouble it is, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from math import isfinite
from time import time
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from dpipe.runtime.errors import EndpointRefused, NoSuchModel
from dpipe.runtime.models.connection import Answer
from dpipe.runtime.models.protocol import RejectedRequest, Unavailable
from dpipe.runtime.models.wire import ErrorReply, error_of
from dpipe.runtime.secrets import SHOWN, Secret

_PASSING = frozenset({408, 409, 425, 429})
_NO_CREDIT = re.compile(r"insufficient.?(?:quota|balance|credit|fund)|billing", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"model.?not.?found|model\b.{0,120}(?:does not exist|not found|not exist)", re.IGNORECASE
)
_CONTENT = re.compile(r"content.?(?:filter|policy)|moderation|flagged", re.IGNORECASE)
_SCHEMA = re.compile(r"response.?format|schema|structured.?output|guided", re.IGNORECASE)


class Who(Struct, frozen=True):
    """Whom an error is about: a model of the program, its id, endpoint and key."""

    name: str
    id: str
    url: str
    key: Secret | None

    @property
    def place(self) -> str:
        """The endpoint's address without what may be secret in it."""
        return shown_url(self.url)

    def hide(self, text: str) -> str:
        key = self.key.reveal() if self.key else ""
        return text.replace(key, SHOWN) if key else text


def shown_url(url: str) -> str:
    """An address without what may be secret in it: name, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


def raise_for(answer: Answer, who: Who, *, raw: bool = False) -> NoReturn:
    """Raise what a status other than 200 means to the caller; ``raw`` tells how it was asked."""
    status, error = answer.status, error_of(answer.body)
    said = who.hide(error.message)
    if raw and status in (404, 405) and not _NO_MODEL.search(f"{error.code} {error.message}"):
        raise EndpointRefused(
            f"model `{who.name}`: the endpoint at {who.place} has no /completions, where a `raw:` "
            f"prompt is sent ({status}): {said}",
            hint="ask a model that is served with it, or write the prompt with `user:`",
        )
    if status == 402 or (status == 429 and _NO_CREDIT.search(f"{error.code} {error.message}")):
        raise EndpointRefused(
            f"model `{who.name}`: the account at {who.place} has no credit left ({status}): {said}",
            hint="top the account up or name another endpoint in `url:`",
        )
    if status in _PASSING or status >= 500:
        raise _unavailable(answer, said)
    if 300 <= status < 400:
        raise _moved(answer, who)
    if (refused := _refused(status, error, who, said)) is not None:
        raise refused
    raise RejectedRequest(f"the endpoint rejected the request ({status}): {said}", status=status)


def is_filtered(answer: Answer) -> bool:
    """Whether a provider's filter turned the request down with an error of its own."""
    if answer.status not in (400, 403):
        return False
    error = error_of(answer.body)
    return bool(_CONTENT.search(f"{error.code} {error.message}"))


def blames_schema(answer: Answer, *, known: bool) -> bool:
    """Whether a 400 or 422 may be about structured output.

    An endpoint ``known`` to take it must name it; of another, all that names no other parameter.
    """
    if answer.status not in (400, 422):
        return False
    if is_filtered(answer):
        return False
    error = error_of(answer.body)
    if _SCHEMA.search(error.text):
        return True
    return not known and not error.param and not _NO_MODEL.search(error.text)


def _unavailable(answer: Answer, said: str) -> Unavailable:
    status, wait = answer.status, retry_after(answer.headers)
    if status == 429 or (status == 503 and wait is not None):
        message = f"the endpoint is busy ({status}): {said}"
        return Unavailable(message, kind="rate", status=status, retry_after=wait)
    message = f"the endpoint failed ({status}): {said}"
    return Unavailable(message, kind="server", status=status, retry_after=wait)


def _moved(answer: Answer, who: Who) -> EndpointRefused:
    """A redirect is told, not followed: who is asked is what the program says."""
    to = shown_url(urljoin(who.url, answer.headers.get("location", "")))
    return EndpointRefused(
        f"model `{who.name}`: the endpoint at {who.place} sends to {to} ({answer.status})",
        hint="if that is who shall be asked, write its base URL in `url:`",
    )


def _refused(status: int, error: ErrorReply, who: Who, said: str) -> EndpointRefused | None:
    """The error where no request of this model can succeed."""
    start = f"model `{who.name}`: the endpoint at {who.place}"
    if status in (401, 403) and who.key is None:
        hint = f'add `key: secret("NAME")` to the model `{who.name}`'
        return EndpointRefused(f"{start} wants a key ({status}): {said}", hint=hint)
    if status in (401, 403) and who.key is not None:
        key = who.key.name
        hint = f"put a key that may use `{who.id}` into the variable `{key}`"
        return EndpointRefused(f"{start} refused the key in `{key}` ({status}): {said}", hint=hint)
    if status in (400, 404) and _NO_MODEL.search(f"{error.code} {error.message}"):
        hint = f"write an id that GET {who.place}/models lists"
        message = f"{start} has no model `{who.id}` ({status}): {said}"
        return NoSuchModel(message, code="P0005", hint=hint)
    if status == 407:
        hint = "put it into the address of the proxy: HTTPS_PROXY=http://name:password@host:port"
        return EndpointRefused(f"{start} is behind a proxy that wants a login (407)", hint=hint)
    if status in (404, 405) or status < 300:
        hint = "write the base URL of an OpenAI-compatible API; it mostly ends in `/v1`"
        return EndpointRefused(f"{start} does not answer there ({status}): {said}", hint=hint)
    return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that an endpoint asks to wait: milliseconds, seconds or a date."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        seconds = _seconds(headers.get(name), unit)
        if seconds is not None:
            return max(0.0, seconds)
    return None


def _seconds(value: str | None, unit: float) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value) / unit
        return seconds if isfinite(seconds) else None
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(value).timestamp() - time()
    except (ValueError, OverflowError):
        return None
