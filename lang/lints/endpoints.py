"""Lints of endpoints: keys that travel in the open, concurrency that is left to chance."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dpipe.lang import graph, syntax
from dpipe.lang.diagnostics import Edit, Fix
from dpipe.lang.lints.reading import inside
from dpipe.lang.lints.subject import Subject, arg_of
from dpipe.lang.source import Span

_HOST = re.compile(r"http://(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]*)")
_LOCAL = re.compile(
    r"localhost|127\.[\d.]+|0\.0\.0\.0|10\.[\d.]+|192\.168\.[\d.]+|172\.(?:1[6-9]|2\d|3[01])\.[\d.]+"
    r"|\[::1\]|\[f[cde].*\]|[^.]+|.+\.(?:local|internal|lan|localhost)",
    re.IGNORECASE,
)


def http_keys(subject: Subject) -> None:
    """W0602: a key goes unencrypted to a host outside the local network."""
    for call, model in _endpoints(subject):
        options = dict(model.options)
        if "key" not in options:
            continue
        for url in inside(options.get("url")):
            if isinstance(url, str) and (found := _HOST.match(url)) and _is_far(found[1]):
                _tell_http(subject, call, model, url, found[1])


def _is_far(host: str) -> bool:
    return bool(host) and _LOCAL.fullmatch(host) is None


def _tell_http(
    subject: Subject, call: syntax.Call, model: graph.ModelDef, url: str, host: str
) -> None:
    node = arg_of(call, "url")
    assert node is not None
    span = node.span
    at = subject.text(span).find(f'"{url}')
    fixes = []
    if at >= 0:
        start = span.start + at + 1
        span = Span(span.file, start, start + len(url))
        scheme = Span(span.file, start, start + len("http"))
        fixes = [Fix("write `https`", (Edit(scheme, "https"),))]
    subject.bag.add(
        "W0602",
        span,
        f"the key of `{model.name}` goes to `{host}` unencrypted",
        help="write `https://`",
        fixes=fixes,
    )


def unlimited(subject: Subject) -> None:
    """W0601: how many calls at a time is not said."""
    for call, model in _endpoints(subject):
        options = dict(model.options)
        if model.kind == "openai" and "concurrency" not in options and not _stand_in(options):
            subject.bag.add(
                "W0601",
                call.callee.span,
                f"`{model.name}` starts with 8 calls at a time and adapts",
                help="where you know better: `concurrency: 64`",
            )


def _stand_in(options: dict[str, graph.Expr]) -> bool:
    urls = [url for url in inside(options.get("url")) if isinstance(url, str)]
    return any(url.startswith(("simulated:", "scripted:")) for url in urls)


def _endpoints(subject: Subject) -> Iterator[tuple[syntax.Call, graph.ModelDef]]:
    """The endpoints that the user's files declare."""
    for model in subject.graph.models.values():
        item = subject.item_at(model.place)
        if isinstance(item, syntax.ModelItem) and isinstance(item.value, syntax.Call):
            yield item.value, model
