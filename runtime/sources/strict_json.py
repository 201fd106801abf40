"""Why a text is not JSON, in words that help to mend it."""

from __future__ import annotations

import json
import re

_SURROGATE = re.compile(r"[\ud800-\udfff]")


def why_not(text: bytes | str) -> str:
    """The reason for which a text is refused that the decoder would not take."""
    try:
        value = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as e:
        return f"not JSON: {_lower(e.msg)} at line {e.lineno}, column {e.colno}"
    except RecursionError:
        return "nested too deeply"
    except ValueError as e:
        return str(e) if "JSON" in str(e) else "a number has too many digits"
    if _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        return "holds half a character (a lone surrogate such as `\\ud800`)"
    return "a number is beyond what can be held"


def _no_number(name: str) -> float:
    raise ValueError(f"not JSON: {name} is no number there")


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
