"""Model calls get their cost and the version of the prices; the rest of a batch stays as it was."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agenttracer.collector.pricing.table import load_prices
from agenttracer.collector.telemetry import Telemetry
from agenttracer.schemas.batch import Batch, Signal
from tests.batches import make_batch
from tests.otlp_traces import request, span
from tests.processing import classify, column, decoded, normalize, price, process, redaction

VERSION = load_prices().version
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
}
USED = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100}


def priced(*spans: Span, telemetry: Telemetry | None = None) -> Batch:
    return process(decoded(request(*spans)), normalize(), classify(), price(telemetry))


def costs(batch: Batch) -> list[tuple[Decimal | None, str | None]]:
    return list(zip(column(batch, "CostUsd"), column(batch, "PriceVersion"), strict=True))


def unpriced(telemetry: Telemetry) -> dict[tuple[str, str], float]:
    """The metric's values by provider and model."""
    return {
        (sample.labels["provider"], sample.labels["model"]): sample.value
        for family in telemetry.registry.collect()
        for sample in family.samples
        if sample.name == "agenttracer_unpriced_spans_total"
    }


def rows(*given: dict[str, Any]) -> Batch:
    """A batch with these typed columns."""
    return make_batch("traces", [{"StepType": "model", **row} for row in given])


def test_a_call_is_priced() -> None:
    """1000 tokens read and 100 written at 0.15 and 0.60 USD a million."""
    assert [(Decimal("0.000210000"), VERSION)] == costs(priced(span("chat", {**CHAT, **USED})))


def test_cached_and_reasoning_tokens_have_prices_of_their_own() -> None:
    """600 of 1000 tokens came from a cache at half the price."""
    cached = {"gen_ai.usage.cache_read.input_tokens": 600, "gen_ai.usage.reasoning.output_tokens": 50}

    assert [(Decimal("0.000165000"), VERSION)] == costs(priced(span("chat", {**CHAT, **USED, **cached})))


def test_an_embedding_is_priced() -> None:
    """Embeddings are calls of models too, and write no tokens."""
    embed = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "text-embedding-3-small"}

    assert [(Decimal("0.000020000"), VERSION)] == costs(
        priced(span("embeddings", {**embed, "gen_ai.usage.input_tokens": 1000}))
    )


def test_an_embedding_is_priced_in_a_step_of_any_type() -> None:
    """On its own it is no retrieval, and costs the same."""
    used = {"Model": "text-embedding-3-small", "InputTokens": 1000}
    batch = price().process(
        rows({**used, "StepType": "other", "Operation": "embeddings"}, {**used, "StepType": "other"})
    )

    assert [Decimal("0.000020000"), None] == column(batch, "CostUsd")


def test_containers_cost_nothing() -> None:
    """An agent's span repeats what its children used: it has no cost of its own, nor has a tool."""
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "gpt-4o-mini", **USED}
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.request.model": "gpt-4o-mini", **USED}
    batch = priced(span("agent", agent), span("tool", tool), span("chat", {**CHAT, **USED}))

    assert [None, None, Decimal("0.000210000")] == column(batch, "CostUsd")


def test_a_call_without_tokens_has_no_cost() -> None:
    """Nobody counted: the cost is unknown, not zero, and the model's price is not what is missing."""
    telemetry = Telemetry()
    batch = priced(span("chat", CHAT), span("chat", {**CHAT, **USED}), telemetry=telemetry)

    assert [(None, None), (Decimal("0.000210000"), VERSION)] == costs(batch)
    assert {} == unpriced(telemetry)


def test_a_batch_without_calls_is_left_alone() -> None:
    """No step that calls a model, nothing to do; neither in logs and metrics."""
    batch = process(decoded(request(span("GET", {"http.request.method": "GET"}))), normalize(), classify())

    assert price().process(batch) is batch
    logs = make_batch(Signal.LOGS, [{}])
    assert price().process(logs) is logs


def test_unpriced_calls_are_counted_without_a_name_that_the_sender_chose() -> None:
    """Their cost stays null; labels are names of the price table, or other."""
    telemetry = Telemetry()
    unknown = {"Model": "CANARY-secret", "InputTokens": 5}
    batch = price(telemetry).process(
        rows(
            {**unknown, "Provider": "openai"},
            {**unknown, "Provider": "CANARY-host"},
            {**unknown, "Provider": "CANARY-host-2"},
            {"Model": "gpt-oss-120b", "InputTokens": 5},
            {"InputTokens": 5},
        )
    )

    assert [(None, None)] * 5 == costs(batch)
    assert {
        ("openai", "other"): 1,
        ("other", "other"): 2,
        ("unknown", "gpt-oss-120b"): 1,
        ("unknown", "unknown"): 1,
    } == unpriced(telemetry)


def test_a_reported_cost_stands_in_for_a_price() -> None:
    """The agent's own figure is taken only where the table has none, under a version that says so."""
    telemetry = Telemetry()
    mystery = {**CHAT, **USED, "gen_ai.request.model": "mystery-1"}
    batch = priced(
        span("chat", {**mystery, "gen_ai.usage.cost": 0.0123456789}),
        span("chat", {**mystery, "operation.cost": 2}),
        span("chat", {**mystery, "gen_ai.usage.cost": -1.0}),
        span("chat", {**mystery, "gen_ai.usage.cost": float("nan")}),
        span("chat", {**mystery, "gen_ai.usage.cost": "cheap"}),
        span("chat", {**CHAT, **USED, "gen_ai.usage.cost": 99.0}),
        telemetry=telemetry,
    )

    assert [
        (Decimal("0.012345679"), "reported"),
        (Decimal("2.000000000"), "reported"),
        (None, None),
        (None, None),
        (None, None),
        (Decimal("0.000210000"), VERSION),
    ] == costs(batch)
    assert {("openai", "other"): 3} == unpriced(telemetry)


def test_impossible_counts_are_not_priced() -> None:
    """A count beyond what any call can use makes the cost unknown, not enormous."""
    batch = price().process(rows({"Model": "gpt-4o", "InputTokens": 2**63, "OutputTokens": 1}))

    assert [(None, None)] == costs(batch)


def test_own_prices_are_used(tmp_path: Path) -> None:
    """The file named by prices_file is read at the start."""
    own = tmp_path / "own.yaml"
    own.write_text("providers: {openai: {models: {gpt-4o-mini: {input: 1, output: 0}}}}")
    batch = price(prices_file=own).process(
        rows({"Provider": "openai", "Model": "gpt-4o-mini", "InputTokens": 1000})
    )

    assert [(Decimal("0.001000000"), load_prices(own).version)] == costs(batch)


def test_a_cost_passes_redaction(tmp_path: Path) -> None:
    """What the processor adds is what the columns declare, and is kept."""
    batch = process(priced(span("chat", {**CHAT, **USED})), redaction(tmp_path))

    assert [(Decimal("0.000210000"), VERSION)] == costs(batch)
