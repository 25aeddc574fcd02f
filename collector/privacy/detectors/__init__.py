"""What nobody may find in a store, and what finds it: a table of detectors, and searches of whole arrays."""

from agenttracer.collector.privacy.detectors.search import Detectors
from agenttracer.collector.privacy.detectors.table import DEFAULTS, TABLE

__all__ = ["DEFAULTS", "TABLE", "Detectors"]
