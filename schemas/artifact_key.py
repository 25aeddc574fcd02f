"""How a value stands in an artifact's key, ``tenant/agent/run/uuid/name``."""

import hashlib
import re

_FITS = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def key_part(value: str | None) -> str:
    """A value as one part of a key: itself if it is plain, else ``_`` and its hash; ``_`` if there is none.

    A plain value never starts with ``_``, so two values never share a part.
    """
    if not value:
        return "_"
    if _FITS.fullmatch(value):
        return value
    return "_" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:32]
