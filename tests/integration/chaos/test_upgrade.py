"""A newer collector on the journal and the store of the first release: what was acknowledged then is stored now."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from agenttracer.schemas.batch import Signal
from tests.integration.chaos import promise
from tests.integration.chaos.load import Ledger, make_request, send
from tests.running_collector import CONFIG, ROOT, RunningCollector

FIRST_RELEASE = ROOT / "tests" / "golden" / "first_release"
LAST_TABLE = 17
"""Number of the newest .sql file of the first release; files don't change once they are released."""
SINCE_DROPPED = FIRST_RELEASE / "agent_runs_spans_mv.sql"

STORE = """\
import sys, clickhouse_connect
from pathlib import Path
from agenttracer.schemas.migrate import apply, migrations
with clickhouse_connect.get_client(dsn=f"chdb://{sys.argv[1]}") as client:
    released = [step for step in migrations() if step.number <= int(sys.argv[2])]
    apply(client, steps=[step for step in released if "REPLACE VIEW" not in step.sql])
    client.command(Path(sys.argv[3]).read_text())
    client.command("INSERT INTO otel_traces (Timestamp, TraceId, SpanId, RunId, StepType) "
                   "SELECT now64(9), 'old', toString(number), 'old', 'model' FROM numbers(3)")
"""


def test_the_first_release_s_data(tmp_path: Path) -> None:
    """Its claim, its dead letter, its receipts, its books, its payloads without checksums and its tables."""
    ledger = Ledger()
    ledger.sent = {("old", str(number)) for number in range(3)}
    ledger.sent |= {(f"{trace:032x}", f"{span:016x}") for trace in range(1, 7) for span in range(1, 11)}
    ledger.acknowledged |= ledger.sent
    collector = RunningCollector(
        tmp_path,
        *("--config", str(CONFIG), "--set", "exporters.clickhouse.ttl=0"),
        *("--set", "extensions.file_storage.duplicate_window=876000h"),
    )
    (collector.data / "journal").mkdir(parents=True)
    with closing(sqlite3.connect(collector.data / "journal" / "journal.sqlite")) as connection:
        connection.executescript((FIRST_RELEASE / "journal.sql").read_text())
    store = str(collector.data / "clickhouse")
    subprocess.run(
        [sys.executable, "-c", STORE, store, str(LAST_TABLE), str(SINCE_DROPPED)], check=True, cwd=ROOT
    )
    try:
        collector.start()
        collector.export(Signal.TRACES, (FIRST_RELEASE / "request.pb").read_bytes())
        body, keys = make_request()
        assert send(collector, ledger, body, keys) == "OK"
        collector.wait_until_stored()
        assert 10 == collector.books(exporter="prometheus")["dead_lettered"]
        books = promise.check_books(collector)
        assert collector.stop() == 0
    finally:
        collector.kill()

    promise.check_log(collector)
    promise.check_store(lambda query: collector.query(query)[0], ledger)
    assert {"received": 90, "stored": 70, "duplicate": 20} == books
