"""More than it can take: it refuses so that clients resend, within its memory, and loses nothing it took."""

import os
import time
from pathlib import Path

from tests.integration.chaos import promise
from tests.integration.chaos.attacks import Flood, LargeFlood, attacking
from tests.integration.chaos.load import Ledger, Resending, under_load, wait_for_answers
from tests.running_collector import CONFIG, running_collector

SECONDS = float(os.environ.get("AGENTTRACER_CHAOS_SECONDS", "3"))
"""How long; ``make chaos`` takes a minute."""
RESENT = {"UNAVAILABLE", "CANCELLED"}
"""Codes on which OTLP has clients resend; gRPC's own, before it asks us, is the second."""


def test_overload(tmp_path: Path) -> None:
    """Every answer is "stored" or "resend"; clients that resend are done in the end, and the books balance
    at every moment."""
    ledger = Ledger()
    limits = ("--set", "service.max_in_flight_mib=4")
    with running_collector(tmp_path, "--config", str(CONFIG), *limits) as collector:
        floods = [Flood(collector), LargeFlood(collector)]
        clients = [
            Resending(collector, ledger, transport=transport, spans=200, pause_seconds=0)
            for transport in ("grpc", "grpc", "http")
        ]
        with attacking(*floods), under_load(*clients):
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                time.sleep(0.5)
                promise.check_books(collector)
            wait_for_answers(ledger, 5)
        assert RESENT | {"OK"} >= floods[0].answers.keys() | floods[1].answers.keys()
        assert floods[1].answers["UNAVAILABLE"] > 0
        ledger.sent.update(*(flood.sent for flood in floods))

        promise.check(collector, ledger, timeout_seconds=60 + SECONDS)

    assert RESENT | {"OK", "503"} >= ledger.answers.keys()
