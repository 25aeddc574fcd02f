"""Which web pages may send, as the browser asks: the preflight's answer and the headers of every other.

http:
  cors:
    allowed_origins: [https://app.example.com, https://*.example.org]
    allowed_headers: [X-Tenant]
    max_age: 7200
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agenttracer.collector.receivers.otlp.options import Cors

_ALWAYS_ALLOWED = ("Accept", "Content-Type", "X-Requested-With")


class CorsPolicy:
    """The options, ready to be asked."""

    def __init__(self, options: Cors | None) -> None:
        self._options = options or Cors()
        patterns = (
            re.escape(origin.lower()).replace(r"\*", ".*") for origin in self._options.allowed_origins
        )
        self._origins = re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)")

    def headers(self, origin: str | None) -> Mapping[str, str]:
        """For the answer to a page of this origin; empty when it may not read it."""
        if origin is None or not self._origins.fullmatch(origin.lower()):
            return {}
        headers = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
        if self._options.exposed_headers:
            headers["Access-Control-Expose-Headers"] = ", ".join(self._options.exposed_headers)
        return headers

    def preflight_headers(self, origin: str | None, requested_headers: str) -> Mapping[str, str]:
        """For the answer to an OPTIONS request; empty when the origin may not send."""
        headers = dict(self.headers(origin))
        if headers:
            every = "*" in self._options.allowed_headers
            named = ", ".join((*_ALWAYS_ALLOWED, *self._options.allowed_headers))
            headers["Access-Control-Allow-Methods"] = "POST"
            headers["Access-Control-Allow-Headers"] = (
                requested_headers if every and requested_headers else named
            )
            if self._options.max_age:
                headers["Access-Control-Max-Age"] = str(self._options.max_age)
        return headers
