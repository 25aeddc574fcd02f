"""A limit in bytes that tenants share: nobody's load takes the room in which another's request could be taken.

    free = limit - what all hold              one tenant alone   90 % of the limit
    a tenant may hold up to 9 x free          two                47 % each,  5 % free
                                              ten                9.9 % each, 1 % free

Nobody has to know who waits or how many there are: as others come, what is free shrinks, and with it what
one may hold. It is how switches share the memory of their ports: Choudhury and Hahne, "Dynamic queue length
thresholds for shared-memory packet switches", 1998.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

_FREE_TO_SHARE = 9


class SharedLimit:
    """Counts what is held, by tenant; every method may be called from any thread."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._held_bytes: Counter[str] = Counter()
        self._lock = threading.Lock()

    def admits(self, tenant: str, num_bytes: int = 0) -> bool:
        """Whether the tenant may hold so many more. When nothing is held, anything is admitted: what is larger
        than the limit passes alone."""
        free_bytes = self.limit_bytes - self.used_bytes - num_bytes
        return not self.used_bytes or self._held_bytes[tenant] + num_bytes <= _FREE_TO_SHARE * free_bytes

    def try_take(self, tenant: str, num_bytes: int) -> bool:
        """The tenant holds more, if that is admitted."""
        with self._lock:
            admitted = self.admits(tenant, num_bytes)
            if admitted:
                self._add(tenant, num_bytes)
        return admitted

    def take(self, tenant: str, num_bytes: int) -> None:
        """The tenant holds more."""
        with self._lock:
            self._add(tenant, num_bytes)

    def give_back(self, tenant: str, num_bytes: int) -> None:
        """The tenant holds less."""
        with self._lock:
            self._add(tenant, -num_bytes)

    def count_anew(self, held_bytes: Mapping[str, int]) -> None:
        """Forget the count for this one."""
        with self._lock:
            self._held_bytes = Counter(held_bytes)
            self.used_bytes = self._held_bytes.total()

    def _add(self, tenant: str, num_bytes: int) -> None:
        self.used_bytes += num_bytes
        self._held_bytes[tenant] += num_bytes
        if not self._held_bytes[tenant]:
            del self._held_bytes[tenant]  # tenants come and go
