"""How much memory this process holds: one measure, for the limiter that acts on it and the metric that shows it."""

import resource
import sys
from pathlib import Path

_PAGE_BYTES = resource.getpagesize()


def resident_bytes() -> int:
    """This process's resident memory now; its highest so far where there is no ``/proc``."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE_BYTES
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
