import asyncio
from collections.abc import Mapping
from dataclasses import replace

import aiohttp
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from agenttracer.collector.component import Context
from agenttracer.collector.errors import StartError
from agenttracer.collector.telemetry import Telemetry
from agenttracer.exporters.prometheus import Prometheus, PrometheusOptions
from agenttracer.schemas.batch import Batch
from tests.batches import make_batch

_RUN = {"AgentName": "support", "AgentVersion": "1.0.0", "RunStatus": "success", "Duration": 1_500_000_000}
_STEP = {"AgentName": 'su"pp\\ort\n', "StepType": "model", "Model": "größe", "InputTokens": 7, "Duration": 10}


def _exporter(**options: object) -> Prometheus:
    parsed = PrometheusOptions.model_validate({"endpoint": "127.0.0.1:0", **options})
    return Prometheus(parsed, Context("prometheus", Telemetry()))


def _scrape(
    exporter: Prometheus, *batches: Batch, headers: Mapping[str, str] | None = None
) -> tuple[str, str]:
    """Content type and body after these batches."""

    async def run() -> tuple[str, str]:
        await exporter.start()
        try:
            for batch in batches:
                await exporter.export(batch)
            url = f"http://127.0.0.1:{exporter.port}/metrics"
            async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
                return response.headers["Content-Type"], await response.text()
        finally:
            await exporter.stop()

    return asyncio.run(run())


def _samples(body: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


def test_agents_and_the_collector_are_served_together() -> None:
    """One scrape, in the text format, that parses."""
    exporter = _exporter()
    exporter.context.telemetry.add("agenttracer_component_errors_total", component="x")

    content_type, body = _scrape(exporter, make_batch("traces", [_RUN, _STEP]))

    samples = _samples(body)
    run = frozenset({"agent": "support", "agent_version": "1.0.0", "status": "success"}.items())
    tokens = frozenset({"agent": 'su"pp\\ort\n', "provider": "", "model": "größe", "type": "input"}.items())
    assert content_type.startswith("text/plain; version=0.0.4")
    assert (1, 7) == (samples["agent_runs_total", run], samples["agent_tokens_total", tokens])
    assert 1 == samples["agenttracer_component_errors_total", frozenset({("component", "x")})]
    assert 1.5 == samples["agent_run_duration_seconds_sum", frozenset({("agent", "support")})]


def test_openmetrics_is_served_to_those_who_ask() -> None:
    """Prometheus does; the strict parser accepts it."""
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"

    content_type, body = _scrape(_exporter(), make_batch("traces", [_RUN]), headers={"Accept": accept})

    families = {family.name: family.type for family in openmetrics.text_string_to_metric_families(body)}
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert ("counter", "histogram") == (families["agent_runs"], families["agent_run_duration_seconds"])


def test_a_repeated_batch_counts_once() -> None:
    """However often the pipeline tries."""
    batch = make_batch("traces", [_RUN])

    _, body = _scrape(_exporter(), batch, batch, replace(batch, token=f"not {batch.token}"))

    assert {2.0} == {value for (name, _), value in _samples(body).items() if name == "agent_runs_total"}


def test_batches_are_few() -> None:
    """Each is two transactions of the journal, and scrapes are seconds apart."""
    batch = PrometheusOptions().sending_queue.batch
    assert (1.0, 50_000) == (batch.flush_timeout, batch.min_size)


def test_names_and_labels_are_the_operators() -> None:
    """Namespace, constant labels and the tenant, for the agents' series alone."""
    exporter = _exporter(namespace="prod", const_labels={"region": "eu"}, tenant_label=True)

    _, body = _scrape(exporter, make_batch("traces", [_RUN], resources=[{"TenantId": "acme"}]))

    labels = {"tenant": "acme", "agent": "support", "region": "eu"}
    samples = _samples(body)
    assert 1 == samples["prod_agent_run_duration_seconds_count", frozenset(labels.items())]
    assert "agenttracer_group_rows" in body
    assert "prod_agenttracer" not in body


def test_a_port_in_use_stops_the_start() -> None:
    """One sentence that names the endpoint; the other goes on."""

    async def run() -> None:
        first = _exporter()
        await first.start()
        second = _exporter(endpoint=f"127.0.0.1:{first.port}")
        try:
            with pytest.raises(StartError, match=r"prometheus can't listen on 127.0.0.1:\d+: .*in use"):
                await second.start()
        finally:
            await second.stop()
            await first.stop()

    asyncio.run(run())


def test_stop_is_safe_before_start_and_twice() -> None:
    """And frees the port."""

    async def run() -> None:
        exporter = _exporter()
        await exporter.stop()
        await exporter.start()
        port = exporter.port
        await exporter.stop()
        await exporter.stop()
        again = _exporter(endpoint=f"127.0.0.1:{port}")
        await again.start()
        await again.stop()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"endpoint": "nowhere"}, "must be host:port"),
        ({"const_labels": {"agent": "x"}}, "can't name a label that the metrics have: agent"),
        ({"const_labels": {"le-gal": "x"}}, "must be letters, digits and _"),
        ({"namespace": "a b"}, "must be letters, digits and _"),
        ({"send_timestamps": True}, "send_timestamps"),
    ],
)
def test_options_that_would_break_the_exposition_are_refused(
    options: dict[str, object], message: str
) -> None:
    """Before anything is served."""
    with pytest.raises(ValidationError, match=message):
        _exporter(**options)
