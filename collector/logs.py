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


class _OwnWords(logging.Filter):
    """Of a library's records, says where they came from and nothing that they say: a library may quote the
    value it choked on, and that value may be a prompt."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] != "agenttracer":
            record.msg = (
                f"{record.levelname.lower()} at {record.filename}:{record.lineno}, its words are withheld"
            )
            record.args = ()
            record.exc_info = record.exc_text = record.stack_info = None
        return True


def configure_logs(telemetry: Any) -> None:
    """Set level and encoding from ``service.telemetry.logs``; of libraries only warnings are told."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Json()
        if telemetry.logs.encoding == "json"
        else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    handler.addFilter(_OwnWords())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("agenttracer").setLevel(telemetry.logs.level)
