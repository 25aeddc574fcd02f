"""Clients that send the same request many times."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.integration.chaos import promise
from tests.integration.chaos.load import Ledger, make_request, send
from tests.running_collector import running_collector

COPIES = 5


def test_the_same_request_again_and_again(tmp_path: Path) -> None:
    """Many times, out of order, in parallel, by both protocols, over kills and stops: stored once."""
    ledger = Ledger()
    requests = [make_request(20) for _ in range(5)]
    copies = requests * COPIES
    random.Random(1).shuffle(copies)
    with running_collector(tmp_path) as collector, ThreadPoolExecutor(8) as threads:

        def send_all() -> list[str]:
            def one(number: int) -> str:
                body, keys = copies[number]
                if number % 2:
                    return send(collector, ledger, body, keys)
                return "OK" if collector.post("/v1/traces", body)[0] == 200 else "refused"

            return list(threads.map(one, range(len(copies))))

        assert {"OK"} == set(send_all())
        collector.kill()
        collector.start()
        assert {"OK"} == set(send_all())
        assert collector.stop() == 0
        collector.start()
        assert {"OK"} == set(send_all())
        collector.wait_until_noted("duplicate", 2 * COPIES * 100 - 100)

        books = promise.check(collector, ledger)

    assert 100 == books["stored"]
    assert 100 + books["duplicate"] == books["received"]
