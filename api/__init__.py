"""dpipe: checked, resumable pipelines that make training data with language models.

``dpipe.check("qa.dpipe")`` gives the findings, ``dpipe.run("qa.dpipe", params={"n": 5})`` makes
the dataset; from a trio program ``await dpipe.run_async(…)``.

The folders of the repository: ``lang`` turns text into a graph, ``runtime`` turns a graph into
rows, ``api`` (this package) brings both together with the files and settings of a project, and
``cli`` is the command line over it. Importing ``dpipe`` imports none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dpipe.checking import CheckResult as CheckResult
    from dpipe.checking import check as check
    from dpipe.checking import compile as compile
    from dpipe.errors import ProgramError as ProgramError
    from dpipe.lang.compile import Compiled as Compiled
    from dpipe.lang.diagnostics import Diagnostic as Diagnostic
    from dpipe.running import run as run
    from dpipe.running import run_async as run_async
    from dpipe.runtime.errors import DpipeError as DpipeError
    from dpipe.runtime.errors import UsageError as UsageError
    from dpipe.runtime.run import RunResult as RunResult

__version__ = "0.1.0"

_HOMES = {
    "CheckResult": "checking",
    "Compiled": "lang.compile",
    "Diagnostic": "lang.diagnostics",
    "DpipeError": "runtime.errors",
    "ProgramError": "errors",
    "RunResult": "runtime.run",
    "UsageError": "runtime.errors",
    "check": "checking",
    "compile": "checking",
    "run": "running",
    "run_async": "running",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dpipe' has no attribute {name!r}")
    return getattr(import_module(f"dpipe.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
