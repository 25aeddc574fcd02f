"""``agenttracer runs`` on a store on disk, and over HTTP while another process has it open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agenttracer.collector.cli import runs_command
from agenttracer.collector.cli.main import main
from agenttracer.collector.cli.run_table import short_id_length
from agenttracer.collector.cli.terminal import format_ms, format_usd
from agenttracer.collector.cli.waterfall import draw_bars, in_call_order
from tests.batches import make_batch
from tests.clickhouse_server import ClickHouseServer, clickhouse_server
from tests.clickhouse_store import exporting

Capture = pytest.CaptureFixture[str]
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def span(run: str, number: int, at_ms: int, ms: int, parent: int = 0, **columns: Any) -> dict[str, Any]:
    """A span of a run, by milliseconds after T0."""
    return {
        "RunId": run, "TraceId": run[0] * 32, "SpanId": f"{number:016x}",
        "ParentSpanId": f"{parent:016x}" if parent else "", "Timestamp": T0 + at_ms * MS, "Duration": ms * MS,
        **columns,
    }  # fmt: skip


def root(run: str, status: str, **columns: Any) -> dict[str, Any]:
    """A run's root of 100 ms."""
    return span(run, 1, 0, 100, StepType="agent", RunStatus=status, AgentVersion="1.2", **columns)


FAILED = [
    root("failed-1", "failure", AgentName="support"),
    span("failed-1", 2, 0, 25, 1, StepType="plan", StepName="choose"),
    span("failed-1", 3, 0, 25, 2, StepType="model", Model="small-1", InputTokens=120, OutputTokens=30,
         CostUsd=Decimal("0.000213")),
    span(
        "failed-1", 4, 25, 25, 1, StepType="tool", StepName="orders", Attempt=1, FailureType="tool",
        FailureCode="timeout", StatusCode="Error",
    ),
    span("failed-1", 5, 50, 25, 1, StepType="tool", StepName="orders", Attempt=2),
    span(
        "failed-1", 6, 75, 25, 1, StepType="respond", StepName="answer", FailureType="model",
        FailureCode="rate_limited", StatusCode="Error",
    ),
]  # fmt: skip
OTHERS = [
    root("went-well-1", "success", AgentName="sales"),
    root("went-well-2", "success", AgentName="support"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with three runs of one tenant, and one of another that has the same id."""
    folder = tmp_path_factory.mktemp("data")
    resources = [{"TenantId": "acme", "ServiceName": "shop"}]
    with exporting(f"chdb://{folder}/clickhouse", ttl=0) as store:
        store.export(make_batch("traces", [*FAILED, *OTHERS], resources=resources, token="acme"))  # noqa: S106
        other = [root("went-well-1", "partial", AgentName="[red]bold[/red]\x1b[2J")]
        store.export(make_batch("traces", other, resources=[{"TenantId": "other"}], token="other"))  # noqa: S106
    return folder


@pytest.fixture
def here(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names the data folder."""
    monkeypatch.setenv("AGENTTRACER_DATA_DIR", str(data))
    monkeypatch.delenv("AGENTTRACER_CLICKHOUSE_ENDPOINT", raising=False)


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[ClickHouseServer]:
    """Another process has the store open, and serves it over HTTP."""
    with clickhouse_server(data / "clickhouse") as server:
        yield server


def listed(capsys: Capture, *arguments: str) -> list[tuple[str, str]]:
    """(tenant, run) of what a listing shows."""
    assert 0 == main(["runs", "list", "--json", *arguments])
    return [(run["TenantId"], run["RunId"]) for run in json.loads(capsys.readouterr().out)]


@pytest.mark.usefixtures("here")
def test_list_is_a_table(capsys: Capture) -> None:
    """A line a run: enough of its id, agent, status, duration, steps, tokens, cost, what failed first of how many."""
    assert 0 == main(["runs", "list", "--tenant", "acme"])

    lines = capsys.readouterr().out.splitlines()
    (line,) = (line for line in lines if "failed-1" in line)
    fields = line.split()
    assert ["failed-1", "support", "failure"] == fields[:3]
    assert ["100", "ms", "6", "120/30", "0.000213", "tool/timeout", "+1"] == fields[-7:]
    assert 4 == len(lines)


@pytest.mark.usefixtures("here")
def test_a_stored_value_does_nothing_to_the_terminal(capsys: Capture) -> None:
    """Markup is shown as it is, and control characters are not passed on."""
    assert 0 == main(["runs", "list"])

    out = capsys.readouterr().out
    assert "[red]bold[/red]" in out
    assert "\x1b[2J" not in out


@pytest.mark.usefixtures("here")
def test_list_filters(capsys: Capture) -> None:
    """By agent, by status in any of its words, by tenant, by number."""
    assert {("acme", "failed-1"), ("acme", "went-well-2")} == set(listed(capsys, "--agent", "support"))
    assert [("acme", "failed-1")] == listed(capsys, "--status", "failed")
    assert [("other", "went-well-1")] == listed(capsys, "--tenant", "other")
    assert 2 == len(listed(capsys, "--limit", "2"))


@pytest.mark.usefixtures("here")
def test_filters_are_values_not_sql(capsys: Capture) -> None:
    """A quote in a filter finds nothing and breaks nothing."""
    assert [] == listed(capsys, "--agent", "x' OR '1'='1")


@pytest.mark.usefixtures("here")
def test_a_row_has_the_views_columns(capsys: Capture) -> None:
    """Times in UTC; an unknown cost is null."""
    main(["runs", "list", "--json", "--status", "success"])
    assert {None} == {run["CostUsd"] for run in json.loads(capsys.readouterr().out)}
    main(["runs", "list", "--json", "--status", "failure"])

    (run,) = json.loads(capsys.readouterr().out)
    expected = {
        "AgentName": "support", "AgentVersion": "1.2", "ServiceName": "shop", "Status": "failure",
        "StartTime": "2026-09-21T14:13:20.000000000Z", "EndTime": "2026-09-21T14:13:20.100000000Z",
        "DurationMs": 100.0, "Steps": 6, "ModelCalls": 2, "ToolCalls": 2, "Failures": 2, "InputTokens": 120,
        "OutputTokens": 30, "CostUsd": 0.000213, "FailureType": "tool", "FailureCode": "timeout",
    }  # fmt: skip
    assert expected == {name: run[name] for name in expected}


@pytest.mark.usefixtures("here")
def test_show_is_a_waterfall(capsys: Capture) -> None:
    """Steps under their callers with bars that begin where the steps began, attempts, and what failed."""
    assert 0 == main(["runs", "show", "failed-1"])

    out = capsys.readouterr().out
    assert "run failed-1  support 1.2  failure  tool/timeout" in out
    assert "2 failures, 120/30 tokens, 0.000213 USD" in out
    lines = out.splitlines()[5:]
    expected = [
        ["agent", "support"],
        ["plan", "choose"],
        ["model", "small-1"],
        ["tool", "orders"],
        ["tool", "orders"],
        ["respond", "answer"],
    ]
    assert expected == [line.split()[:2] for line in lines]
    assert lines[1].index("choose") + 2 == lines[2].index("small-1")
    starts = [line.index("█") for line in lines]
    assert [0, 0, 0, 15, 30, 45] == [start - starts[0] for start in starts]
    assert ["120/30", "0.000213"] == lines[2].split()[-2:]
    assert "tool/timeout (recovered)" in lines[3]
    assert lines[5].rstrip().endswith("model/rate_limited")


@pytest.mark.usefixtures("here")
def test_show_as_json(capsys: Capture) -> None:
    """The run, its steps, its failures."""
    assert 0 == main(["runs", "show", "failed-1", "--json"])

    shown = json.loads(capsys.readouterr().out)
    assert ["run", "steps", "failures"] == list(shown)
    assert 6 == len(shown["steps"])
    assert [("timeout", True), ("rate_limited", False)] == [
        (failed["FailureCode"], failed["Recovered"]) for failed in shown["failures"]
    ]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "there is no such run"),
        (["went"], "several runs begin like this"),
        (["went-well-1"], "several runs begin like this"),
    ],
    ids=["unknown", "ambiguous", "of two tenants"],
)
def test_show_wants_one_run(arguments: list[str], message: str, capsys: Capture) -> None:
    """One sentence for none and for several."""
    assert 1 == main(["runs", "show", *arguments])
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_the_beginning_of_an_id_is_enough(capsys: Capture) -> None:
    """And a tenant tells two runs of one id apart."""
    assert 0 == main(["runs", "show", "fail", "--json"])
    assert "failed-1" == json.loads(capsys.readouterr().out)["run"]["RunId"]
    assert 0 == main(["runs", "show", "went-well-1", "--tenant", "other", "--json"])
    assert "partial" == json.loads(capsys.readouterr().out)["run"]["Status"]


@pytest.mark.usefixtures("here")
def test_nothing_comes_to_a_store_that_no_collector_has_open(capsys: Capture) -> None:
    """``tail`` says so, rather than keeping a collector from starting."""
    assert 1 == main(["runs", "tail"])
    assert "no collector has the store open" in capsys.readouterr().err


def test_no_store_is_one_sentence(tmp_path: Path, capsys: Capture) -> None:
    """And none is made."""
    assert 1 == main(["runs", "list", "--endpoint", f"chdb://{tmp_path}/none"])
    assert f"there is no store in {tmp_path}/none: " in capsys.readouterr().err
    assert [] == list(tmp_path.iterdir())


def test_an_empty_store_is_one_sentence(tmp_path: Path, capsys: Capture) -> None:
    """A folder where no collector has made its tables yet."""
    assert 1 == main(["runs", "list", "--endpoint", f"chdb://{tmp_path}"])
    assert "it has no tables of AgentTracer's yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [("http://localhost:1", "no answer"), ("tcp://localhost:9000", "must be chdb://FOLDER, http")],
)
def test_an_endpoint_that_is_of_no_use_is_one_sentence(endpoint: str, message: str, capsys: Capture) -> None:
    """Nobody there, and a protocol that isn't spoken."""
    assert 1 == main(["runs", "list", "--endpoint", endpoint])
    out, err = capsys.readouterr()
    assert message in err
    assert ("", 1) == (out, err.count("\n"))


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("scheme", ["", "http://"])
def test_a_running_collector_is_asked_over_http(
    scheme: str, server: ClickHouseServer, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """While it has the store open; its address as host:port or as a URL."""
    monkeypatch.setenv("AGENTTRACER_CLICKHOUSE_HTTP_ENDPOINT", f"{scheme}localhost:{server.port}")
    assert 4 == len(listed(capsys))
    assert [("acme", "failed-1")] == listed(capsys, "--endpoint", server.endpoint, "--status", "failure")


@pytest.mark.usefixtures("here", "server")
def test_a_collector_without_http_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """It names the extension to list and the variable to set."""
    monkeypatch.setenv("AGENTTRACER_CLICKHOUSE_HTTP_ENDPOINT", "localhost:1")
    assert 1 == main(["runs", "list"])
    err = capsys.readouterr().err
    assert "nothing answers at http://localhost:1: list clickhouse_http in its service::extensions" in err
    assert 1 == err.count("\n")


@pytest.mark.usefixtures("here")
def test_a_wrong_password_is_said(
    server: ClickHouseServer, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """As such, with the variables to set, and the right one is used."""
    monkeypatch.setenv("AGENTTRACER_CLICKHOUSE_HTTP_ENDPOINT", f"localhost:{server.port}")
    monkeypatch.setenv("CLICKHOUSE_USER", server.writer["username"])
    assert 1 == main(["runs", "list"])
    assert "the user or the password is wrong; set CLICKHOUSE_USER" in capsys.readouterr().err
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", server.writer["password"])
    assert 4 == len(listed(capsys))


def test_another_store_is_not_taken_for_this_one(
    server: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A server that serves another folder would show the wrong runs."""
    monkeypatch.setenv("AGENTTRACER_CLICKHOUSE_HTTP_ENDPOINT", f"localhost:{server.port}")
    with clickhouse_server(tmp_path):
        assert 1 == main(["runs", "list", "--endpoint", f"chdb://{tmp_path}"])
    assert "another store is served" in capsys.readouterr().err


def test_tail_prints_what_changes(
    server: ClickHouseServer, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The newest runs first of all, then each new run and each new status, until Ctrl-C."""
    looks = iter(
        [
            [
                {"TenantId": "t", "RunId": "new", "Status": "running"},
                {"TenantId": "t", "RunId": "old", "Status": "success"},
            ],
            [
                {"TenantId": "t", "RunId": "new", "Status": "failure"},
                {"TenantId": "t", "RunId": "old", "Status": "success"},
            ],
        ]
    )

    def look(*_: Any, **__: Any) -> list[dict[str, Any]]:
        try:
            return next(looks)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr("agenttracer.collector.cli.run_queries.list_runs", look)
    monkeypatch.setattr(runs_command, "_LOOK_SECONDS", 0)
    assert 0 == main(["runs", "tail", "--json", "--limit", "1", "--endpoint", server.endpoint])

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [("new", "running"), ("new", "failure")] == [(line["RunId"], line["Status"]) for line in lines]


def test_tail_lines_are_for_people(
    server: ClickHouseServer, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """One line a run, its whole id at the end."""

    def sleep(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runs_command.time, "sleep", sleep)
    arguments = ["--since", "100000d", "--agent", "support", "--status", "failure"]
    assert 0 == main(["runs", "tail", "--endpoint", server.endpoint, *arguments])

    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("failed-1")
    assert "0.000213  tool/timeout +1" in line


@pytest.mark.parametrize(
    "arguments", [["--status", "odd"], ["--since", "soon"], ["--limit", "0"], ["--limit", "many"]]
)
def test_wrong_arguments_are_usage_errors(arguments: list[str], capsys: Capture) -> None:
    """Exit status 2, as for any other misuse of a flag."""
    with pytest.raises(SystemExit, match="2"):
        main(["runs", "list", *arguments])
    assert f"argument {arguments[0]}" in capsys.readouterr().err


def test_short_ids_tell_runs_apart() -> None:
    """Eight characters, or as many as it takes."""
    assert 8 == short_id_length([])
    assert 8 == short_id_length(["abcdefgh-1"])
    assert 10 == short_id_length(["abcdefgh-1", "abcdefgh-2", "b"])
    assert 11 == short_id_length(["abcdefgh-1", "abcdefgh-12"])
    assert 8 == short_id_length(["same", "same"])


def test_durations_have_their_own_size() -> None:
    """From a fraction of a millisecond to hours."""
    shown = [format_ms(ms) for ms in (0.04, 9.96, 312.4, 4200, 59_960, 200_000, 7_500_000)]
    assert ["0.0 ms", "10.0 ms", "312 ms", "4.2 s", "60.0 s", "3m 20s", "2h 5m"] == shown


def test_costs_show_what_they_tell() -> None:
    """Cents of a dollar, or fractions of one; nothing for a cost that nobody knows."""
    shown = [format_usd(Decimal(usd)) for usd in ("12.5", "1", "0.03125", "0.000213", "0")]
    assert ["12.50", "1.00", "0.0312", "0.000213", "0.00"] == shown
    assert "" == format_usd(None)


def test_calls_come_before_what_they_called() -> None:
    """Orphans and spans that name each other as parents are shown too, at the top."""
    parents = {"b": "a", "a": "", "c": "b", "orphan": "gone", "x": "y", "y": "x"}
    steps = [{"SpanId": span_id, "ParentSpanId": parent} for span_id, parent in parents.items()]
    ordered = [(step["SpanId"], depth) for step, depth in in_call_order(steps)]
    assert [("a", 0), ("b", 1), ("c", 2), ("orphan", 0)] == ordered[:4]
    assert {("x", 0), ("y", 0)} == set(ordered[4:])


def test_bars_share_one_axis() -> None:
    """An instant is a sliver, at the end too, and nothing is wider than the axis."""
    steps = [
        {"StartTimeNs": at * MS, "DurationMs": ms}
        for at, ms in ((0, 100.0), (50, 25.0), (100, 0.0), (0, 6.25))
    ]
    assert ["████████", "    ██", "       ▏", "▌"] == draw_bars(steps, 8)
    assert [] == draw_bars([], 8)
