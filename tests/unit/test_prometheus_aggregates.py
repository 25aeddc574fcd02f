from decimal import Decimal

import pytest
from prometheus_client.core import Metric

from agenttracer.exporters.prometheus.aggregate import aggregate
from agenttracer.exporters.prometheus.families import BOUNDS_SECONDS, LOG_FAMILIES, SPAN_FAMILIES
from agenttracer.exporters.prometheus.series import SeriesStore
from agenttracer.schemas.batch import Batch
from agenttracer.schemas.spans import TYPED
from tests.batches import make_batch

_SECOND = 1_000_000_000
_FAMILIES = (*SPAN_FAMILIES, *LOG_FAMILIES)
_AGENT = {"AgentName": "support", "AgentVersion": "1.0.0", "StatusCode": "Unset", "Duration": _SECOND}
_MODEL = {**_AGENT, "Provider": "openai", "Model": "gpt-x"}


def _counters(batch: Batch, name: str, *, tenant_label: bool = False) -> dict[tuple[str, ...], float]:
    increments = aggregate(batch, tenant_label)
    return {one.labels: one.value for one in increments if one.family.name == name}


def _samples(metrics: list[Metric]) -> dict[tuple[str, ...], float]:
    """(sample's name, label values without agent) → value."""
    return {
        (sample.name, *(value for label, value in sample.labels.items() if label != "agent")): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def test_runs_are_counted_by_their_status() -> None:
    """A run is a row with a run status; other rows are no runs."""
    batch = make_batch(
        "traces",
        [
            {**_AGENT, "RunStatus": "success"},
            {**_AGENT, "RunStatus": "success"},
            {**_AGENT, "RunStatus": "failure", "AgentVersion": "2.0.0"},
            {**_AGENT, "StepType": "tool"},
        ],
    )

    assert {
        ("support", "1.0.0", "success"): 2,
        ("support", "2.0.0", "failure"): 1,
    } == _counters(batch, "agent_runs_total")


def test_steps_are_counted_by_type_and_outcome() -> None:
    """An error status or a failure code makes a step an error."""
    batch = make_batch(
        "traces",
        [
            {**_AGENT, "StepType": "plan"},
            {**_AGENT, "StepType": "tool", "StatusCode": "Error"},
            {**_AGENT, "StepType": "tool", "FailureCode": "timeout", "FailureType": "tool"},
            {**_AGENT},
        ],
    )

    assert {("support", "plan", "ok"): 1, ("support", "tool", "error"): 2} == _counters(
        batch, "agent_steps_total"
    )


def test_failures_tools_and_models_have_their_own_counters() -> None:
    """Each by what one asks about it first."""
    batch = make_batch(
        "traces",
        [
            {
                **_AGENT,
                "StepType": "tool",
                "ToolName": "search",
                "FailureType": "tool",
                "FailureCode": "timeout",
            },
            {**_AGENT, "StepType": "tool", "ToolName": "search"},
            {**_MODEL, "StepType": "model"},
            {**_MODEL, "StepType": "respond"},
            {**_AGENT, "StepType": "respond"},
        ],
    )

    assert {("support", "tool", "timeout"): 1} == _counters(batch, "agent_failures_total")
    assert {
        ("support", "search", "error"): 1,
        ("support", "search", "ok"): 1,
    } == _counters(batch, "agent_tool_calls_total")
    assert {("support", "openai", "gpt-x", "ok"): 2} == _counters(batch, "agent_model_calls_total")


def test_tokens_of_agents_are_not_counted_again() -> None:
    """Only model and respond steps count: an agent's span repeats the tokens of the steps in it."""
    tokens = {"InputTokens": 100, "OutputTokens": 20, "CacheReadTokens": 60, "CostUsd": Decimal("0.25")}
    batch = make_batch(
        "traces",
        [
            {**_MODEL, **tokens, "StepType": "model"},
            {**_MODEL, "StepType": "respond", "OutputTokens": 5, "ReasoningTokens": 3},
            {**_MODEL, **tokens, "StepType": "agent", "RunStatus": "success"},
        ],
    )

    assert {
        ("support", "openai", "gpt-x", "input"): 100,
        ("support", "openai", "gpt-x", "output"): 25,
        ("support", "openai", "gpt-x", "cache_read"): 60,
        ("support", "openai", "gpt-x", "reasoning"): 3,
    } == _counters(batch, "agent_tokens_total")
    assert {("support", "openai", "gpt-x"): 0.25} == _counters(batch, "agent_cost_usd_total")


def test_durations_fall_into_their_buckets() -> None:
    """A value on a bound belongs to the bound's bucket; what exceeds all is in the last."""
    batch = make_batch(
        "traces",
        [
            {**_AGENT, "StepType": "tool", "Duration": duration}
            for duration in (0, 5_000_000, 5_000_001, _SECOND, 3600 * _SECOND, 3601 * _SECOND)
        ],
    )

    (histogram,) = [one for one in aggregate(batch) if one.family.name == "agent_step_duration_seconds"]

    counts = dict(zip([*BOUNDS_SECONDS, float("inf")], histogram.buckets, strict=True))
    assert {0.005: 2, 0.01: 1, 1.0: 1, 3600.0: 1, float("inf"): 1} == {
        bound: count for bound, count in counts.items() if count
    }
    assert pytest.approx(7202.010000001) == histogram.value


def test_run_events_come_from_logs() -> None:
    """A run is counted before its root span ends."""
    names = ["agent.run.queued", "agent.run.started", "agent.run.started", "agent.heartbeat", None]
    batch = make_batch("logs", [{"EventName": name, "AgentName": "support"} for name in names])

    assert {("support", "queued"): 1, ("support", "started"): 2} == _counters(batch, "agent_run_events_total")


def test_the_tenant_is_a_label_if_wanted() -> None:
    """It is the first one, from each row's resource."""
    rows = [{**_AGENT, "RunStatus": "success", "Resource": resource} for resource in (0, 1, 1)]
    batch = make_batch("traces", rows, resources=[{"TenantId": "acme"}, {"TenantId": "umbrella"}])

    assert {
        ("acme", "support", "1.0.0", "success"): 1,
        ("umbrella", "support", "1.0.0", "success"): 2,
    } == _counters(batch, "agent_runs_total", tenant_label=True)


@pytest.mark.parametrize(
    "batch",
    [
        make_batch("traces", [{"Duration": 1}, {}], drop=TYPED.names),
        make_batch("traces", []),
        make_batch("traces", [{}, {}]),
        make_batch("logs", [{"EventName": "agent.run.queued"}], drop=["AgentName"]),
        make_batch("logs", []),
        make_batch("metrics", [{}]),
    ],
    ids=["untyped spans", "no spans", "null spans", "untyped logs", "no logs", "metrics"],
)
@pytest.mark.parametrize("tenant_label", [False, True])
def test_batches_of_other_pipelines_do_no_harm(batch: Batch, tenant_label: bool) -> None:
    """Missing columns, null values and other signals count as little as they say."""
    names = {one.family.name for one in aggregate(batch, tenant_label)}

    assert names <= {"agent_run_events_total"}


def _store(**options: object) -> SeriesStore:
    return SeriesStore(_FAMILIES, **options)  # type: ignore[arg-type]


def _runs(*agents: str) -> Batch:
    return make_batch("traces", [{**_AGENT, "AgentName": name, "RunStatus": "success"} for name in agents])


def _run_counts(store: SeriesStore) -> dict[str, float]:
    return {
        sample.labels["agent"]: sample.value
        for metric in store.collect()
        for sample in metric.samples
        if sample.name == "agent_runs_total"
    }


def test_a_batch_counts_once() -> None:
    """A retry carries the same token; batches without one always count."""
    store = _store()
    increments = aggregate(_runs("support"))
    for token in ("a", "a", "b", "", ""):
        store.grow(token, increments)

    assert {"support": 4} == _run_counts(store)


def test_tokens_are_remembered_within_bounds() -> None:
    """Long after, when no retry can come, they are forgotten."""
    store = _store()
    for i in range(5000):
        store.grow(str(i), ())

    assert 4096 == len(store._tokens)


def test_too_many_values_of_a_label_are_counted_together() -> None:
    """The cap holds for the label's name in all metrics, and the overflow is counted."""
    store = _store(max_label_values=2)
    store.grow("a", aggregate(_runs("one", "two")))
    store.grow("b", aggregate(_runs("three", "four", "two")))

    overflows = {
        (sample.labels["metric"], sample.labels["label"]): sample.value
        for metric in store.collect()
        for sample in metric.samples
        if sample.name == "agenttracer_label_overflow_total"
    }
    assert {"one": 1, "two": 2, "_other_": 2} == _run_counts(store)
    assert {("agent_runs_total", "agent"): 2, ("agent_run_duration_seconds", "agent"): 2} == overflows


def test_too_many_series_are_counted_together() -> None:
    """Also where no label has many values."""
    store = _store(max_series=2)
    store.grow("a", aggregate(_runs("one", "two", "three", "four", "one")))

    assert {"one": 2, "two": 1, "_other_": 2} == _run_counts(store)


def test_series_expire_if_told_to() -> None:
    """And make room for other values of their labels."""
    now_seconds = [0.0]
    store = _store(expiration_seconds=300, max_label_values=2, clock=lambda: now_seconds[0])
    store.grow("a", aggregate(_runs("one", "two")))
    now_seconds[0] = 200
    store.grow("b", aggregate(_runs("two")))
    now_seconds[0] = 400
    store.grow("c", aggregate(_runs("three")))

    assert {"two": 2, "three": 1} == _run_counts(store)


def test_histograms_are_cumulative_when_shown() -> None:
    """As Prometheus expects them: each bucket counts all below, +Inf counts all."""
    store = _store()
    steps = [{**_AGENT, "StepType": "tool", "Duration": seconds * _SECOND} for seconds in (1, 2, 2, 9999)]
    store.grow("a", aggregate(make_batch("traces", steps[:2])))
    store.grow("b", aggregate(make_batch("traces", steps[2:])))

    samples = _samples(store.collect())
    name = "agent_step_duration_seconds"
    assert [0, 1, 3, 3, 4] == [
        samples[f"{name}_bucket", "tool", le] for le in ("0.5", "1.0", "2.5", "3600.0", "+Inf")
    ]
    assert (4, 10004) == (samples[f"{name}_count", "tool"], samples[f"{name}_sum", "tool"])
