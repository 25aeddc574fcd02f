"""The ``otlp`` receiver: OTLP over gRPC and HTTP."""

from agenttracer.collector.receivers.otlp.receiver import OtlpReceiver

__all__ = ["OtlpReceiver"]
