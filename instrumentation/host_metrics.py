"""CPU, memory, disk and network through OpenTelemetry's system-metrics instrumentation; GPUs through NVML.

    pip install 'agenttracer[health]'

What isn't installed isn't measured. An instrumentation that the program has switched on itself is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from agenttracer.instrumentation.guard import guard

CONFIG: Final = {
    "process.cpu.utilization": ["user", "system"],
    "process.memory.usage": None,
    "process.disk.io": ["read", "write"],
    "process.thread.count": None,
    "system.cpu.utilization": ["idle", "user", "system"],
    "system.memory.usage": ["used", "free"],
    "system.memory.utilization": ["used"],
    "system.disk.io": ["read", "write"],
    "system.network.io": ["transmit", "receive"],
}
"""Of all it can measure, what an agent's operator asks for."""


class HostMetrics:
    """What is being measured, until ``close``."""

    def __init__(self, provider: Any, meter: Meter) -> None:
        self._instrumentor: Any = None
        with guard("host metrics"):
            self._watch_system(provider, meter)
        with guard("gpu metrics"):
            _watch_gpus(meter)

    def close(self) -> None:
        """Switch off what was switched on."""
        instrumentor, self._instrumentor = self._instrumentor, None
        if instrumentor is not None:
            with guard("host metrics"):
                instrumentor.uninstrument()

    def _watch_system(self, provider: Any, meter: Meter) -> None:
        try:
            import psutil
            from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor
        except ImportError:
            return
        # The upstream one has no figure for it yet.
        _gauge(
            meter,
            "system.filesystem.usage",
            "By",
            lambda: [Observation(psutil.disk_usage("/").used, {"system.filesystem.state": "used"})],
        )
        instrumentor = SystemMetricsInstrumentor(config=CONFIG)
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(meter_provider=provider)
            self._instrumentor = instrumentor


def _watch_gpus(meter: Meter) -> None:
    try:
        import pynvml
    except ImportError:
        return
    pynvml.nvmlInit()
    gpus = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]

    def each(read: Callable[[Any], float]) -> Callable[[], list[Observation]]:
        return lambda: [Observation(read(gpu), {"hw.id": str(index)}) for index, gpu in enumerate(gpus)]

    _gauge(
        meter,
        "hw.gpu.utilization",
        "1",
        each(lambda gpu: pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100),
    )
    _gauge(meter, "hw.gpu.memory.usage", "By", each(lambda gpu: pynvml.nvmlDeviceGetMemoryInfo(gpu).used))


def _gauge(meter: Meter, name: str, unit: str, read: Callable[[], list[Observation]]) -> None:
    def callback(options: CallbackOptions) -> Iterable[Observation]:
        with guard(name):
            return read()
        return []

    meter.create_observable_gauge(name, [callback], unit)
