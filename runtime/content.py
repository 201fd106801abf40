"""What an argument of a stage says, as bytes: what seeds the stage's chance.

Names of prompts, models, defs and lambda variables, ordinals and node places are not in it, so
renaming, or a stage put in elsewhere, changes no draw. A param counts as its value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from dpipe.lang import graph
from dpipe.runtime.values import key_of


def salt_of(seed: int, node: graph.StageNode, program: Program) -> bytes:
    """Sixteen bytes for the run's seed, or the stage's own ``seed:``, and the stage's content."""
    content = {name: _said(arg, (), program) for name, arg in node.args.items()}
    return key_of(str(content.get("seed", seed)), node.stage, json.dumps(content, sort_keys=True))


class Program(Struct, frozen=True):
    """What names in an expression stand for."""

    defs: Mapping[str, graph.Def]
    params: Mapping[str, Any]


def _said(arg: Any, scope: tuple[str, ...], program: Program) -> Any:
    """The argument as JSON; ``scope`` are the variables around, the innermost first."""
    match arg:
        case graph.Const(value):
            return value
        case graph.Param(name):
            return program.params[name]
        case graph.Local(name):
            return {"local": scope.index(name) if name in scope else name}
        case graph.Lambda(param, body):
            return {"lambda": _said(body, (param, *scope), program)}
        case graph.CallDef(key, args):
            body = _said(program.defs[key].body, program.defs[key].params, program)
            return {"def": body, "args": _said(args, scope, program)}
        case graph.CallPython(target, args, result):
            parts = {"target": target, "args": args, "result": result}
            return {"kind": "CallPython", **_said(parts, scope, program)}
        case graph.Input():
            return {"input": True}
        case graph.PromptCall(args=args):
            return {"prompt": _said(args, scope, program)}
        case graph.One(options=options):
            return {"model": _said(options, scope, program)}
        case Struct():
            parts = {n: _said(getattr(arg, n), scope, program) for n in arg.__struct_fields__}
            return {"kind": type(arg).__name__, **parts}
        case tuple():
            return [_said(part, scope, program) for part in arg]
        case dict():
            return {name: _said(part, scope, program) for name, part in arg.items()}
        case _:
            return arg
