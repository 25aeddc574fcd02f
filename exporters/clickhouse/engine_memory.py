"""Makes the embedded engine give back the memory that it has freed, of which it would keep more than it uses."""

import os


def limit_kept_memory() -> None:
    """What is freed goes back after half a second, not after five; a setting of the environment's own stays.

    To be called before the engine is loaded.
    """
    os.environ.setdefault("JE_MALLOC_CONF", "dirty_decay_ms:500,muzzy_decay_ms:0")
