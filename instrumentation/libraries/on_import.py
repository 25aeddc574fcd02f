"""Calls back once a module has been imported, so that a framework nobody uses is never loaded.

watch = ImportWatch()
watch.when_imported("langchain_core", switch_on_langchain)    # at once, if it is there already
watch.stop()
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from threading import RLock, local
from types import ModuleType
from typing import Any

from agenttracer.instrumentation.guard import guard


class ImportWatch(MetaPathFinder):
    """Stands first among the finders, finds nothing itself and sees what the others find."""

    def __init__(self) -> None:
        self._waiting: dict[str, Callable[[], None]] = {}
        self._looking = local()
        self._lock = RLock()

    def when_imported(self, module: str, call: Callable[[], None]) -> bool:
        """Call as soon as the module is imported; True if that was at once."""
        with self._lock:
            present = module in sys.modules
            if not present:
                self._waiting[module] = call
                if self not in sys.meta_path:
                    sys.meta_path.insert(0, self)
        if present:
            call()
        return present

    def stop(self) -> None:
        """Forget what waits and leave the finders."""
        with self._lock:
            self._waiting.clear()
            if self in sys.meta_path:
                sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The other finders' spec, whose loader calls back when the module has run; None for all others."""
        if fullname not in self._waiting or getattr(self._looking, "name", None) == fullname:
            return None
        self._looking.name = fullname
        try:
            spec = find_spec(fullname)
        finally:
            self._looking.name = None
        if spec is not None and spec.loader is not None:
            with guard("watch imports"):
                self._call_after(fullname, spec.loader)
        return spec

    def _call_after(self, fullname: str, loader: Any) -> None:
        run = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module  # the loader is the module's own: it stays as it was found
            run(module)
            call = self._waiting.pop(fullname, None)
            if call is not None:
                with guard("switch on"):
                    call()

        loader.exec_module = exec_module
