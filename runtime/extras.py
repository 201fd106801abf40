"""Packages that only some readers and writers need, and how to get one that is missing.

The modules of these readers and writers import them at their top, since a module is imported
only by a program that names it.
"""

from __future__ import annotations

from dpipe.runtime.errors import UsageError

EXTRAS = {
    "bs4": "documents",
    "datasets": "hub",
    "docx": "documents",
    "huggingface_hub": "hub",
    "markdownify": "documents",
    "openpyxl": "tables",
    "pyarrow": "tables",
    "tokenizers": "tokens",
}
"""The extra of dpipe that each package comes with, by the name that Python imports."""


def missing(error: ImportError) -> UsageError | None:
    """The way out where an extra's package is not installed; None for any other failure."""
    package = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or package not in EXTRAS:
        return None
    command = f"pip install 'dpipe[{EXTRAS[package]}]'"
    return UsageError(f"the Python package `{package}` is not installed: run `{command}`")
