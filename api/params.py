"""The settings of a program: given by name, checked against the types it declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dpipe.lang.graph import ParamDef
from dpipe.lang.spell import nearest
from dpipe.lang.types import show
from dpipe.runtime.errors import Misfit, UsageError
from dpipe.runtime.fit import fit, from_text


def settle(declared: tuple[ParamDef, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values as their types have them; raises ``UsageError``.

    A param without a default that is not given is an error too.
    """
    values = {name: _fitted(named(declared, name), value) for name, value in given.items()}
    for param in declared:
        if param.default is None and param.name not in values:
            raise UsageError(
                f"param `{param.name}` is not set",
                code="P0009",
                hint=f"add `--{param.name} …`, a value of type {show(param.type)}",
            )
    return values


def read(declared: tuple[ParamDef, ...], name: str, text: str) -> Any:
    """The value that a text gives to a param; raises ``UsageError``."""
    param = named(declared, name)
    try:
        return from_text(text, param.type)
    except Misfit as wrong:
        raise _ill_typed(param, wrong) from None


def named(declared: tuple[ParamDef, ...], name: str) -> ParamDef:
    """The param of that name, ``-`` standing for ``_``; raises ``UsageError``."""
    by_name = {param.name: param for param in declared}
    found = by_name.get(name) or by_name.get(name.replace("-", "_"))
    if found is None:
        near = nearest(name, by_name)
        hint = f"did you mean `{near}`?" if near else _listed(by_name)
        raise UsageError(f"the program has no param `{name}`", hint=hint)
    return found


def _listed(names: Mapping[str, ParamDef]) -> str:
    if not names:
        return "it has no params"
    return "it has " + ", ".join(f"`{name}`" for name in names)


def _fitted(param: ParamDef, value: Any) -> Any:
    try:
        return fit(value, param.type)
    except Misfit as wrong:
        raise _ill_typed(param, wrong) from None


def _ill_typed(param: ParamDef, wrong: Misfit) -> UsageError:
    where = f"`{param.name}{wrong.path}`"
    return UsageError(f"param {where}: {wrong.message}", hint=f"it is declared at {param.place}")
