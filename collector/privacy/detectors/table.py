"""All detectors, in the order that a value's finding is named by: credentials before what they are made of."""

from agenttracer.collector.privacy.detectors import (
    contact,
    credentials,
    entropy,
    national_ids,
    national_ids_europe,
    network,
    payment,
    provider_keys,
)

TABLE = (
    *provider_keys.DETECTORS,
    *credentials.DETECTORS,
    *payment.DETECTORS,
    *national_ids.DETECTORS,
    *national_ids_europe.DETECTORS,
    *contact.DETECTORS,
    *network.DETECTORS,
    *entropy.DETECTORS,
)

DEFAULTS = frozenset(detector.name for detector in TABLE if detector.default)
"""What is on unless said otherwise."""
