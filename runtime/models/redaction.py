"""Taking a key out of what an endpoint sent back, in the forms in which it may stand there."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

from dpipe.runtime.secrets import SHOWN, Secret

LEAST = 16
"""Shorter keys are words that people put where none is needed: they may stand in any text."""


class Redaction:
    """Replaces a key, as it is, quoted, in hexadecimal or inside base64, by ``***``."""

    def __init__(self, key: Secret | None) -> None:
        plain = key.reveal().encode() if key is not None else b""
        self._forms = _forms(plain) if len(plain) >= LEAST else ()

    def __call__(self, body: bytes) -> bytes:
        for form in self._forms:
            if form in body:
                body = body.replace(form, SHOWN.encode())
        return body


def _forms(key: bytes) -> tuple[bytes, ...]:
    found = [key, quote(key, safe="").encode(), key.hex().encode(), key.hex().upper().encode()]
    for encode in (b64encode, urlsafe_b64encode):
        # where the key begins inside a longer text decides how its bytes fall into sextets
        for before in range(3):
            encoded = encode(b"\0" * before + key)
            whole = len(b"\0" * before + key) // 3 * 4
            found.append(encoded[(before * 8 + 5) // 6 : whole])
    return tuple(dict.fromkeys(found))
