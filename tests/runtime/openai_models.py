"""Models behind real connections, and what they are asked."""

from __future__ import annotations

from typing import Any

from dpipe.lang.types import STR, Type
from dpipe.runtime.models.endpoint import Endpoint
from dpipe.runtime.models.openai import OpenAIModel, openai_model
from dpipe.runtime.models.options import read_options
from dpipe.runtime.models.protocol import Message, Request
from dpipe.runtime.models.transport import FirstRoad

KEY = "sk-very-secret-0123456789"


def asking(text: str, result: Type = STR, **options: Any) -> Request:
    return Request((Message("user", text),), None, result, options)


def model_of(url: str | list[str], **options: Any) -> OpenAIModel:
    return openai_model("gen", "some/model", read_options("gen", {"url": url, **options}))


def over_the_sdk(model: OpenAIModel) -> OpenAIModel:
    """The same model without the fast road."""
    for endpoint in model._spread.endpoints:
        assert isinstance(endpoint, Endpoint)
        assert isinstance(endpoint._road, FirstRoad)
        endpoint._road._road = endpoint._road._roads[1]
    return model
