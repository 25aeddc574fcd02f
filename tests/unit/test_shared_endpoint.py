"""Ports that several workers listen on."""

from contextlib import ExitStack

import pytest

from agenttracer.collector.component import Worker
from agenttracer.collector.endpoint import bind, bind_as_worker
from agenttracer.collector.errors import StartError


def test_workers_listen_on_one_port() -> None:
    """The first opens it, those that join find it open."""
    with ExitStack() as ends:
        first = [*map(ends.enter_context, bind_as_worker("127.0.0.1:0", "otlp", Worker(1, 2)))]
        port = first[0].getsockname()[1]
        second = bind_as_worker(f"127.0.0.1:{port}", "otlp", Worker(2, 2, joins=True))
        for opened in second:
            ends.enter_context(opened)

        assert [port] == [opened.getsockname()[1] for opened in second]


def test_the_first_worker_joins_nobody() -> None:
    """Another collector's workers have the port: the first of ours says so, and takes none of their requests."""
    with ExitStack() as ends:
        theirs = [*map(ends.enter_context, bind("127.0.0.1:0", "otlp", shared=True))]
        port = theirs[0].getsockname()[1]

        with pytest.raises(StartError, match="the port is in use"):
            bind_as_worker(f"127.0.0.1:{port}", "otlp", Worker(1, 2))


def test_a_single_process_shares_nothing() -> None:
    """Without workers, nobody can listen on the port besides."""
    with ExitStack() as ends:
        ours = [*map(ends.enter_context, bind_as_worker("127.0.0.1:0", "otlp", Worker()))]
        port = ours[0].getsockname()[1]

        with pytest.raises(StartError, match="the port is in use"):
            bind(f"127.0.0.1:{port}", "otlp", shared=True)
