"""What the embedded engine gives back, in a process of its own: an engine lives as long as its process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_SCRIPT = """
import json, os, re, sys
from agenttracer.collector.library_code import LibraryCode
from agenttracer.exporters.clickhouse.engine_memory import limit_kept_memory

def resident_of_engine():
    resident, inside = 0, False
    for line in open("/proc/self/smaps"):
        if re.match("[0-9a-f]+-", line):
            inside = "/_chdb" in line
        elif inside and line.startswith("Rss:"):
            resident += int(line.split()[1])
    return resident

limit_kept_memory()
import clickhouse_connect
client = clickhouse_connect.get_client(interface="chdb", path=sys.argv[1])
client.command("CREATE TABLE numbers (n UInt64) ENGINE = MergeTree ORDER BY n")
code = LibraryCode()
before = resident_of_engine()
code.release()
after = resident_of_engine()
client.command("INSERT INTO numbers SELECT number FROM numbers(100)")
code.release()
print(json.dumps([before, after, client.command("SELECT sum(n) FROM numbers"), os.environ["JE_MALLOC_CONF"]]))
client.close()
"""


def ask(folder: Path, **environment: str) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


def test_code_that_only_the_start_needs_is_given_back(tmp_path: Path) -> None:
    """The engine works on, with less of its library in memory, and keeps freed memory for a short time."""
    before, after, total, kept = ask(tmp_path / "store")

    assert after < before / 2
    assert 4950 == total
    assert "dirty_decay_ms:500" in str(kept)


def test_a_setting_of_the_environment_stays(tmp_path: Path) -> None:
    """Who tunes the engine's allocator is not overruled."""
    assert "narenas:1" == ask(tmp_path / "store", JE_MALLOC_CONF="narenas:1")[3]
