"""``dpipe check --fix``: the safe fixes of all findings, written into the programs."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_ROUNDS = 10  # a fix can uncover another finding, never without end
_BOM = b"\xef\xbb\xbf"


def fix_files(paths: tuple[str, ...]) -> list[str]:
    """Apply safe fixes until none is left; a line for each, ``file:line: CODE what it was``.

    Only files that ``paths`` name are written, and each as a whole or not at all.
    """
    import dpipe
    from dpipe.checking import programs_in
    from dpipe.lang.fix import apply_fixes

    own = {file.as_posix() for file in programs_in(paths)}
    done: list[str] = []
    for _ in range(_ROUNDS):
        result = dpipe.check(*paths)
        sources = {name: source for name, source in result.sources.items() if name in own}
        fixed = apply_fixes((*result.diagnostics, *result.notes), sources)
        if not fixed.texts:
            break
        for name, text in fixed.texts.items():
            _write(Path(name), text)
        for finding in fixed.mended:
            line, _column = sources[finding.span.file].position(finding.span.start)
            done.append(f"{finding.span.file}:{line}: {finding.code} {finding.message}")
    return done


def _write(file: Path, text: str) -> None:
    """Put a text in a file's place, with the line ends and the byte order mark that it had."""
    file = file.resolve()
    before = file.read_bytes()
    data = text.replace("\n", "\r\n" if b"\r\n" in before else "\n").encode()
    if before.startswith(_BOM):
        data = _BOM + data
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as new:
            new.write(data)
        shutil.copymode(file, name)
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
