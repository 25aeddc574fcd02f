import asyncio
import logging

import pytest

from agenttracer.collector.component import Context
from agenttracer.collector.telemetry import Telemetry
from agenttracer.exporters.debug import Debug, DebugOptions
from agenttracer.schemas.batch import Batch, Place, Signal
from tests.batches import make_batch

_LOGGER = "agenttracer.exporters.debug"


class Untouchable(dict[str, object]):
    """Tables that nobody may look into."""

    def __getitem__(self, name: str) -> object:
        raise AssertionError(f"{name} was touched")


def _debug(**options: object) -> Debug:
    return Debug(DebugOptions.model_validate(options), Context("debug", Telemetry()))


def _messages(caplog: pytest.LogCaptureFixture, exporter: Debug, *batches: Batch) -> list[str]:
    async def run() -> None:
        for batch in batches:
            await exporter.export(batch)

    with caplog.at_level(logging.INFO, _LOGGER):
        asyncio.run(run())
    return [record.getMessage() for record in caplog.records if record.name == _LOGGER]


def _spans() -> Batch:
    return make_batch(
        "traces",
        [{"SpanName": "chat", "InputTokens": 10, "Duration": 5}, {"SpanName": "chat", "InputTokens": 32}],
        attributes=[(Place.ROW, 0, "gen_ai.request.model", "gpt-x")],
    )


def test_basic_is_a_line_of_counts(caplog: pytest.LogCaptureFixture) -> None:
    """The default: rows by table, nothing from within them."""
    (message,) = _messages(caplog, _debug(), _spans())

    assert "debug: traces: 2 spans, 1 resources, 1 scopes, 0 events, 0 links, 1 attributes" == message


def test_normal_adds_the_sums_of_what_has_a_unit(caplog: pytest.LogCaptureFixture) -> None:
    """Durations, tokens, costs and bytes; still no value of a row."""
    (message,) = _messages(caplog, _debug(verbosity="normal"), _spans())

    assert message.endswith("1 attributes, Duration 5 ns, InputTokens 42 {token}")


def test_detailed_shows_the_stored_rows(caplog: pytest.LogCaptureFixture) -> None:
    """Every table, without what is null."""
    (message,) = _messages(caplog, _debug(verbosity="detailed"), _spans())

    lines = message.splitlines()
    assert "  rows[1] {'Resource': 0, 'Scope': 0, 'SpanName': 'chat', 'InputTokens': 32}" == lines[2]
    assert lines[-1].startswith("  attributes[0] {'place': 2, 'owner': 0, 'key': 'gen_ai.request.model'")


@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize("verbosity", ["basic", "normal", "detailed"])
def test_every_signal_has_its_line(caplog: pytest.LogCaptureFixture, signal: Signal, verbosity: str) -> None:
    """Empty batches too."""
    messages = _messages(caplog, _debug(verbosity=verbosity), make_batch(signal, [{}]), make_batch(signal))

    assert [f"debug: {signal}: {rows} {signal.items}" for rows in (1, 0)] == [
        message.split(",")[0] for message in messages
    ]


def test_above_info_nothing_is_touched(caplog: pytest.LogCaptureFixture) -> None:
    """The end of a benchmark's pipeline costs nothing."""
    batch = make_batch("traces", [{}])
    object.__setattr__(batch, "tables", Untouchable())

    with caplog.at_level(logging.WARNING, _LOGGER):
        asyncio.run(_debug(verbosity="detailed").export(batch))

    assert [] == caplog.records


def test_sampling_thins_out_a_second(caplog: pytest.LogCaptureFixture) -> None:
    """The first two of each second, then every third."""

    class Clocked(Debug):
        now_seconds = 0.0

        def clock(self) -> float:
            self.now_seconds += 0.1
            return self.now_seconds

    exporter = Clocked(DebugOptions(sampling_initial=2, sampling_thereafter=3), Context("debug", Telemetry()))

    # 9 batches before 1.0 s: 1, 2, 5 and 8; then 10 more: 1, 2, 5 and 8 again.
    messages = _messages(caplog, exporter, *[make_batch("traces", [{}])] * 19)

    assert 8 == len(messages)
