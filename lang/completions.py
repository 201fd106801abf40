"""Raw prompts that are asked of endpoints known to take none."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dpipe.lang import graph, syntax
from dpipe.lang.diagnostics import Label
from dpipe.lang.flows import Flows
from dpipe.lang.source import Span

_CHAT_ONLY = re.compile(
    r"https?://(api\.openai\.com|api\.anthropic\.com|generativelanguage\.googleapis\.com)(?=[/:]|$)"
)
_COMPLETES = re.compile(r"gpt-3\.5-turbo-instruct.*|davinci-002|babbage-002|ft:.*")
"""The ids that a host of chat models still completes texts with."""


def raw_prompts(flows: Flows) -> None:
    """Report each ``ask`` of a ``raw:`` prompt whose model only chats; whom else, a run tells."""
    told: set[Span] = set()
    for at, node in enumerate(flows.nodes):
        prompt = next((one for one in graph.prompts_of(node) if _is_raw(flows, one)), None)
        if prompt is None or not isinstance(node, graph.StageNode):
            continue
        span = _using(flows.calls[at])
        for model in _models(flows, node.args.get("using")):
            host = _chat_only(model)
            if host is not None and span not in told:
                told.add(span)
                _tell(flows, span, prompt, model, host)


def _tell(flows: Flows, span: Span, prompt: str, model: graph.ModelDef, host: str) -> None:
    decl = flows.names.keyed(flows.names.program.root, prompt)
    flows.bag.add(
        "E0606",
        span,
        f"prompt `{prompt}` is `raw:`, and `{model.name}` at {host} takes no text to complete",
        labels=[] if decl is None else [Label(decl.name.span, "prompt declared here")],
        help="ask a model that you serve yourself, or write the prompt with `user:`",
    )


def _is_raw(flows: Flows, prompt: str) -> bool:
    return any(section.role == "raw" for section in flows.prompts.prompts[prompt].sections)


def _using(call: syntax.Call) -> Span:
    given = (arg.value.span for arg in call.args if arg.label and arg.label.text == "using")
    return next(given, call.callee.span)


def _models(flows: Flows, answerer: object) -> Iterator[graph.ModelDef]:
    if isinstance(answerer, graph.One) and answerer.model in flows.answers.models:
        yield flows.answers.models[answerer.model]
    for member in (*getattr(answerer, "members", ()), getattr(answerer, "tie", None)):
        if member is not None:
            yield from _models(flows, member)


def _chat_only(model: graph.ModelDef) -> str | None:
    """The host of a model that only chats, where the program's text says so."""
    id, url = model.id, dict(model.options).get("url")
    if not isinstance(id, graph.Const) or _COMPLETES.fullmatch(str(id.value)):
        return None
    if not isinstance(url, graph.Const):
        return None
    found = _CHAT_ONLY.match(str(url.value))
    return found[1] if found else None
