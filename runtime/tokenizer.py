"""Where the tokens of a text start, by a tokenizer of the `tokenizers` library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from dpipe.runtime.errors import UsageError

FILE = "tokenizer.json"


def token_starts(path: Path) -> Callable[[str], Sequence[int]]:
    """What gives the offset of each token, in the order of the text, without special tokens.

    ``path`` is a ``tokenizer.json`` or the folder of a model that holds one. Several tokens may
    start at one character. Raises ``UsageError`` where there is none.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise UsageError(f"there is no tokenizer `{file}`", code="P0001")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception:  # the library raises nothing narrower
        raise UsageError(f"`{file}` is no tokenizer of the `tokenizers` library") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def starts(text: str) -> Sequence[int]:
        offsets = tokenizer.encode(text, add_special_tokens=False).offsets
        return sorted(start for start, _ in offsets)

    return starts
