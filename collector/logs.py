"""The collector's own log lines: to stderr, one line each, as text or JSON."""

import json
import logging
import sys
import time
from typing import Any


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
                "level": record.levelname,
                "logger": record.name,
                "message": record.getMessage(),
            }
        )


def configure_logs(telemetry: Any) -> None:
    """Set level and encoding from ``service.telemetry.logs``; libraries' lines below WARNING are dropped."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Json()
        if telemetry.logs.encoding == "json"
        else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("agenttracer").setLevel(telemetry.logs.level)
