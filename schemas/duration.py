"""Durations as the Collector writes them: ``200ms``, ``5s``, ``1h30m``."""

import re
from typing import Any

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")


def parse_duration_seconds(value: Any) -> float:
    """Seconds from a Go duration string or a plain zero; raises ``ValueError`` on anything else.

    >>> parse_duration_seconds("1h30m")
    5400.0
    """
    if isinstance(value, float):  # a default, or already parsed
        return value
    if value in (0, "0"):
        return 0.0
    parts = list(_PART.finditer(value)) if isinstance(value, str) else []
    if not parts or "".join(part.group() for part in parts) != value:
        raise ValueError("must be a duration with a unit, like 200ms, 5s or 1h30m")
    return sum(float(part[1]) * _SECONDS[part[2]] for part in parts)
