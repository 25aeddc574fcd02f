"""``agenttracer`` with a wall clock that the test sets: ``python shifted_clock.py FILE collector …``

FILE holds the seconds by which ``time.time`` and ``time.time_ns`` are off; a change is seen at once.
"""

import sys
import time
from pathlib import Path

_real_time_ns = time.time_ns
_file = Path(sys.argv.pop(1))


def _time_ns() -> int:
    return _real_time_ns() + int(_file.read_text() or 0) * 10**9


time.time_ns = _time_ns
time.time = lambda: _time_ns() / 1e9

if __name__ == "__main__":
    from agenttracer.collector.cli.main import main

    sys.exit(main())
