"""The redaction policies in a file: of a collector's configuration, or of a file that holds no more than a policy.

processors:                     mode: labels
  redaction:                    allowed_keys: [my.note]
    mode: labels
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agenttracer.collector.config.declare import declare
from agenttracer.collector.config.expand import Expander, structure
from agenttracer.collector.config.load import load_config
from agenttracer.collector.config.model import Config, Configured
from agenttracer.collector.config.problems import Problems
from agenttracer.collector.config.read import Document, read_yaml
from agenttracer.collector.errors import ConfigError
from agenttracer.collector.privacy.options import RedactionOptions

_SECTIONS = ("receivers", "exporters", "extensions", "service")


def read_policy_file(path: str) -> tuple[Config | None, dict[str, RedactionOptions]]:
    """The configuration, where the file is a whole one, and its redaction processors' options by id.

    Raises ``ConfigError``.
    """
    document = _document(path)
    if document is None or any(section in document.data for section in _SECTIONS):
        config = load_config([path])
        return config, _redaction(dict(config.processors))
    problems = Problems(document.positions)
    data = document.data if "processors" in document.data else {"processors": {"redaction": document.data}}
    tree = structure(Expander(problems).expand(data))
    declared = declare("processors", tree["processors"], problems)
    problems.raise_any()
    return None, _redaction(declared.components)


def _document(path: str) -> Document | None:
    """What the file holds, if that is a mapping; what is wrong with it, loading tells."""
    try:
        document = read_yaml(Path(path).read_text(encoding="utf-8-sig"), path)
    except (OSError, UnicodeDecodeError, ConfigError):
        return None
    return document if isinstance(document.data, dict) else None


def _redaction(processors: dict[str, Configured]) -> dict[str, RedactionOptions]:
    options: dict[str, Any] = {id: configured.options for id, configured in processors.items()}
    return {id: found for id, found in options.items() if isinstance(found, RedactionOptions)}
