"""``agenttracer reprice`` on a store on disk, and over HTTP while another process has it open."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agenttracer.collector.cli.main import main
from agenttracer.collector.cli.store import open_store
from tests.batches import make_batch
from tests.clickhouse_server import clickhouse_server
from tests.clickhouse_store import exporting
from tests.processing import price

Capture = pytest.CaptureFixture[str]
NOON = 1_793_534_400_000_000_000  # 2026-11-01T12:00Z
DAY = 86_400_000_000_000
ALL = ("reprice", "--since", "2026-11-01", "--until", "2026-12-01")
PRICES = """
as_of: 2026-12-24
providers:
  openai:
    models:
      gpt-4o: {input: 1, cache_read: 0.123456, output: 4, above: {input_tokens: 900, input: 3, output: 5}}
  odd: {input: excludes_cached, output: excludes_reasoning, models: {m: {input: 0.000001, reasoning: 7}}}
"""
PAIRS = [
    ("openai", "gpt-4o-2024-08-06"),
    ("odd", "m"),
    ("", "gpt-4o-mini"),
    ("odd", "it's\\x"),
    ("openai", ""),
]
TOKENS = ("InputTokens", "CacheReadTokens", "CacheWriteTokens", "OutputTokens", "ReasoningTokens")


def call(number: int, provider: str, model: str, **columns: Any) -> dict[str, Any]:
    """A stored model call of the first of November."""
    return {
        "TraceId": f"{number:032x}", "RunId": f"{number:032x}", "SpanId": f"{number:016x}", "ParentSpanId": "ab" * 8,
        "Timestamp": NOON, "Duration": 1000, "StepType": "model", "Provider": provider or None,
        "Model": model or None, **columns,
    }  # fmt: skip


def store(folder: Path, *rows: dict[str, Any], tenant: str = "acme", token: str = "") -> None:
    """Export the rows into the store of a data folder, which is made if it isn't there; one insert a token."""
    with exporting(f"chdb://{folder}/clickhouse", ttl=0) as opened:
        opened.export(make_batch("traces", rows, resources=[{"TenantId": tenant}], token=token or tenant))


def costs(folder: Path) -> list[tuple[Decimal | None, str]]:
    """Cost and price version of the stored spans, in the order of their ids."""
    with open_store(f"chdb://{folder}/clickhouse", "default") as opened:
        rows = opened.rows("SELECT CostUsd, PriceVersion FROM otel_traces ORDER BY SpanId", {})
    return [(row["CostUsd"], row["PriceVersion"]) for row in rows]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder that the environment names."""
    monkeypatch.setenv("AGENTTRACER_DATA_DIR", str(tmp_path))
    for name in ("CLICKHOUSE_ENDPOINT", "CLICKHOUSE_HTTP_ENDPOINT"):
        monkeypatch.delenv(f"AGENTTRACER_{name}", raising=False)
    return tmp_path


def asked(capsys: Capture, *arguments: str) -> Any:
    """The JSON that the command prints."""
    assert 0 == main([*ALL, "--json", *arguments])
    return json.loads(capsys.readouterr().out)


def test_the_store_and_the_processor_agree(data: Path) -> None:
    """Whatever the counts, the rules and the prices: SQL gives the cost that the processor gives."""
    chance = random.Random(4)
    sizes = (None, 0, 1, 7, 30, 500, 600, 901, 2000, 2_000_000_000, 2**31 - 1)
    rows = [
        call(number, *chance.choice(PAIRS), **{name: chance.choice(sizes) for name in TOKENS})
        for number in range(400)
    ]
    rows += [
        call(400, "openai", "gpt-4o", StepType="other", Operation="embeddings", InputTokens=5),
        call(401, "openai", "gpt-4o", StepType="agent", InputTokens=5),
        call(402, "openai", "gpt-4o", InputTokens=2**31),
        call(403, "openai", "gpt-4o", InputTokens=1, OutputTokens=2**63),
    ]
    own = data / "prices.yaml"
    own.write_text(PRICES)
    priced = price(prices_file=own).process(make_batch("traces", rows)).rows
    store(data, *rows)

    assert 0 == main([*ALL, "--prices", str(own)])

    expected = zip(
        priced.column("CostUsd").to_pylist(),
        (v or "" for v in priced.column("PriceVersion").to_pylist()),
        strict=True,
    )
    assert list(expected) == costs(data)
    assert 200 < sum(cost is not None for cost, _ in costs(data))


def test_nothing_but_the_window_of_the_tenant_changes(data: Path, capsys: Capture) -> None:
    """The day before, the end of the window and another tenant keep what they had."""
    used = {"InputTokens": 1000, "CostUsd": Decimal(9), "PriceVersion": "old"}
    days = [
        call(number, "openai", "gpt-4o", **used) | {"Timestamp": NOON + shift}
        for number, shift in enumerate((-DAY, 0, DAY, 2 * DAY))
    ]
    store(data, *days)
    store(data, call(9, "openai", "gpt-4o", **used), tenant="other")

    assert 0 == main(["reprice", "--since", "2026-11-01", "--until", "2026-11-03", "--tenant", "acme"])

    kept, new = Decimal("9.000000000"), Decimal("0.002500000")
    assert [kept, new, new, kept, kept] == [cost for cost, _ in costs(data)]
    assert "2026-11-01: 1 of 1 calls changed" in capsys.readouterr().err


def viewed(folder: Path, view: str) -> list[Decimal | None]:
    """The costs that a view shows, run by run."""
    with open_store(f"chdb://{folder}/clickhouse", "default") as opened:
        rows = opened.rows(f"SELECT RunId, sum(CostUsd) AS Usd FROM {view} GROUP BY RunId ORDER BY RunId", {})
    return [row["Usd"] for row in rows]


def test_the_views_follow(data: Path, capsys: Capture) -> None:
    """What runs and steps cost is what their spans cost now: one price back and one forth, and none at all."""
    used = {"InputTokens": 1000, "CostUsd": Decimal(9), "PriceVersion": "old"}
    both = {"RunId": "several inserts"}
    store(data, call(1, "openai", "gpt-4o", **used), call(2, "nobody", "mystery", **used))
    store(data, call(3, "openai", "gpt-4o", **used, **both), token="first")  # noqa: S106
    store(data, call(4, "openai", "gpt-4o", **used, **both), token="second")  # noqa: S106
    cheap = data / "cheap.yaml"
    cheap.write_text("providers: {openai: {models: {gpt-4o: {input: 1}}}}")

    def seen() -> list[list[Decimal | None]]:
        return [viewed(data, view) for view in ("agent_runs", "agent_steps")]

    first, second = Decimal("0.0025"), Decimal("0.001")
    for arguments, expected in (
        ([], first),
        (["--prices", str(cheap)], second),
        ([], first),
        (["--prices", str(cheap)], second),
        ([], first),
    ):
        asked(capsys, *arguments)
        assert [[expected, None, 2 * expected]] * 2 == seen()


def test_what_was_broken_off_is_finished(data: Path, capsys: Capture) -> None:
    """Spans that have their cost don't keep the tables behind them from getting it."""
    store(data, call(1, "openai", "gpt-4o", InputTokens=1000))
    asked(capsys)
    with open_store(f"chdb://{data}/clickhouse", "default") as opened:
        opened.run("ALTER TABLE agent_step_spans UPDATE OwnCostUsd = 9 WHERE 1 SETTINGS mutations_sync = 2")

    asked(capsys)

    with open_store(f"chdb://{data}/clickhouse", "default") as opened:
        assert [{"CostUsd": Decimal("0.0025")}] == opened.rows("SELECT CostUsd FROM agent_steps", {})


def test_a_summary_by_model(data: Path, capsys: Capture) -> None:
    """Calls, how many changed, what they cost before and now; a dry run says the same and writes nothing."""
    store(
        data,
        call(1, "openai", "gpt-4o", InputTokens=1000, CostUsd=Decimal("0.01"), PriceVersion="old"),
        call(2, "openai", "gpt-4o", InputTokens=1000),
        call(3, "nobody", "mystery", InputTokens=1000, CostUsd=Decimal("0.5"), PriceVersion="old"),
        call(4, "nobody", "mystery", InputTokens=1000, CostUsd=Decimal("0.25"), PriceVersion="reported"),
    )
    models = [
        {
            "provider": "nobody", "model": "mystery", "calls": 2, "changed": 1, "without_cost": 1,
            "old_usd": 0.75, "new_usd": 0.25,
        },
        {
            "provider": "openai", "model": "gpt-4o", "calls": 2, "changed": 2, "without_cost": 0,
            "old_usd": 0.01, "new_usd": 0.005,
        },
    ]  # fmt: skip

    dry = asked(capsys, "--dry-run")
    before = costs(data)
    wet = asked(capsys)

    assert (models, False) == (dry["models"], dry["written"])
    assert (models, True) == (wet["models"], wet["written"])
    assert (Decimal("0.010000000"), "old") == before[0]
    assert (Decimal("0.002500000"), wet["price_version"]) == costs(data)[0]
    # What an agent reported itself stays where the table has no price; a price that is gone goes.
    assert [(None, ""), (Decimal("0.250000000"), "reported")] == costs(data)[2:]


def test_repeating_it_changes_nothing(data: Path, capsys: Capture) -> None:
    """The second time every call has its cost already."""
    store(data, call(1, "openai", "gpt-4o", InputTokens=1000))

    first, second = asked(capsys), asked(capsys)

    assert [1, 0] == [answer["models"][0]["changed"] for answer in (first, second)]
    assert second["models"][0]["old_usd"] == second["models"][0]["new_usd"] == 0.0025


def test_more_models_than_a_statement_holds(data: Path, capsys: Capture) -> None:
    """A day with hundreds of models is done in pieces."""
    rows = [call(number, "nobody", f"model-{number}x", InputTokens=1) for number in range(450)]
    store(data, *rows, call(999, "openai", "gpt-4o", InputTokens=1000))

    answer = asked(capsys)

    assert 451 == len(answer["models"])
    assert 1 == sum(model["changed"] for model in answer["models"])


def test_a_table_in_the_terminal(data: Path, capsys: Capture) -> None:
    """A line a model and a line of sums; a window without calls says so."""
    store(data, call(1, "openai", "gpt-4o", InputTokens=1000))

    main([*ALL])
    lines = capsys.readouterr().out.splitlines()
    main(["reprice", "--since", "2026-10-01", "--until", "2026-10-02"])

    assert ["openai", "gpt-4o", "1", "1", "0", "0.000000", "0.002500"] == lines[1].split()
    assert ["all", "1", "1", "0", "0.000000", "0.002500"] == lines[2].split()
    assert "no model calls in that time\n" == capsys.readouterr().out


def test_over_http(data: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process has the store open, a user that may write reprices; another is told what to do."""
    store(data, call(1, "openai", "gpt-4o", InputTokens=1000))
    with clickhouse_server(data / "clickhouse") as server:
        monkeypatch.setenv("AGENTTRACER_CLICKHOUSE_HTTP_ENDPOINT", f"localhost:{server.port}")
        assert 1 == main([*ALL])
        refusal = capsys.readouterr().err
        monkeypatch.setenv("CLICKHOUSE_USER", "writer")
        monkeypatch.setenv("CLICKHOUSE_PASSWORD", server.writer["password"])
        answer = asked(capsys)

    assert "it is served for reading only; stop the collector" in refusal
    assert 1 == answer["models"][0]["changed"]
    assert Decimal("0.002500000") == costs(data)[0][0]


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", ""])
def test_a_time_that_is_none_is_refused(since: str, capsys: Capture) -> None:
    """The message says which forms there are."""
    with pytest.raises(SystemExit):
        main(["reprice", "--since", since])

    assert "must be a day (2026-11-01)" in capsys.readouterr().err
