"""Freed memory is kept for the next group, and given back when told to; in a process of its own, which it changes."""

import json
import subprocess
import sys

_SCRIPT = """
import json
from agenttracer.collector.allocator import give_back_freed_memory, keep_freed_memory
from agenttracer.collector.resident_memory import resident_bytes
keep_freed_memory()
import numpy as np

resident = [resident_bytes()]
arrays = [np.ones(50_000, np.uint8) for _ in range(1000)]
held = arrays[99::100]
resident.append(resident_bytes())
del arrays
resident.append(resident_bytes())
give_back_freed_memory()
resident.append(resident_bytes())
print(json.dumps([resident, sum(int(array.sum()) for array in held)]))
"""
_MIB = 1024 * 1024


def test_freed_memory_is_kept_until_it_is_given_back() -> None:
    """What a burst needed stays for the next one, goes when told to, and what is in use isn't touched."""
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    (start, burst, freed, given_back), held = json.loads(done.stdout)

    assert burst > start + 45 * _MIB
    assert freed > burst - 10 * _MIB
    assert given_back < start + 15 * _MIB
    assert 10 * 50_000 == held
