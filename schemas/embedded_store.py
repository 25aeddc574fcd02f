"""What the folder of an embedded ClickHouse store tells from outside."""

import fcntl
import os


def is_open(folder: str) -> bool:
    """Whether a process has the store open: the engine holds a lock on its ``status`` file."""
    try:
        with open(os.path.join(folder, "status"), "rb") as status:
            fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
