"""Code of libraries that isn't in use is given back, and used again; in a process of its own, which it changes."""

import json
import subprocess
import sys

_SCRIPT = """
import json, re
import pyarrow as pa
import pyarrow.compute as pc
from agenttracer.collector.library_code import LibraryCode

def resident_by_library():
    resident, name = {}, None
    for line in open("/proc/self/smaps"):
        if re.match("[0-9a-f]+-", line):
            name = line.split()[-1].rpartition("/")[2]
        elif line.startswith("Rss:"):
            resident[name] = resident.get(name, 0) + int(line.split()[1])
    return resident

texts = pa.array(["a", "b", "a"])
pc.value_counts(texts)
before = resident_by_library()
LibraryCode().release()
after = resident_by_library()
arrow = next(name for name in before if name.startswith("libarrow.so"))
libc = next(name for name in before if name.startswith("libc.so"))
again = pc.value_counts(texts).field("counts").to_pylist()
print(json.dumps([before[arrow], after[arrow], before[libc], after[libc], again]))
"""


def test_unused_code_is_given_back_and_libraries_work_on() -> None:
    """Those of Python's modules give back what isn't in use; the system's, which might be unloaded, are let alone."""
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    before, after, system_before, system_after, counts = json.loads(done.stdout)

    assert after < before / 2
    assert system_after >= system_before
    assert [2, 1] == counts
