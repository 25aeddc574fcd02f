"""Which protocol and address an ``api_url`` means."""

import re

import pytest

from agenttracer.instrumentation.endpoint import Endpoint, find_endpoint

GRPC = "grpc"
HTTP = "http/protobuf"


@pytest.mark.parametrize(
    ("api_url", "protocol", "insecure", "expected"),
    [
        ("http://host:4317", None, None, Endpoint(GRPC, "http://host:4317", True)),
        ("https://host:4317", None, None, Endpoint(GRPC, "https://host:4317", False)),
        ("grpc://host:9000", None, None, Endpoint(GRPC, "http://host:9000", True)),
        ("grpcs://host", None, None, Endpoint(GRPC, "https://host", False)),
        ("grpc://host", None, None, Endpoint(GRPC, "http://host:4317", True)),
        ("localhost:4317", None, None, Endpoint(GRPC, "http://localhost:4317", True)),
        ("[::1]:4317", None, None, Endpoint(GRPC, "http://[::1]:4317", True)),
        ("host:4317", None, None, Endpoint(GRPC, "https://host:4317", False)),
        ("host:4317", None, True, Endpoint(GRPC, "http://host:4317", True)),
        ("http://host:4318", None, None, Endpoint(HTTP, "http://host:4318", None)),
        ("http://host:4318/", None, None, Endpoint(HTTP, "http://host:4318", None)),
        ("https://host/v1/traces", None, None, Endpoint(HTTP, "https://host", None)),
        ("https://host/api/otlp/", None, None, Endpoint(HTTP, "https://host/api/otlp", None)),
        ("http://host:9000", "http/protobuf", None, Endpoint(HTTP, "http://host:9000", None)),
        ("http://host:4318", "grpc", None, Endpoint(GRPC, "http://host:4318", True)),
    ],
)
def test_the_address_says_the_protocol(
    api_url: str, protocol: str | None, insecure: bool | None, expected: Endpoint
) -> None:
    """Scheme, port and path decide, unless a protocol is given; without a scheme only this machine is plain text."""
    assert expected == find_endpoint(api_url, protocol, insecure, {})


@pytest.mark.parametrize(
    ("environment", "protocol", "expected"),
    [
        ({}, None, Endpoint(GRPC, "http://localhost:4317", True)),
        ({}, "http/protobuf", Endpoint(HTTP, "http://localhost:4318", None)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://host:4317"}, None, Endpoint(GRPC, None, None)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://host:4318"}, None, Endpoint(HTTP, None, None)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://host/v1/traces"}, None, Endpoint(HTTP, None, None)),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://host", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            None,
            Endpoint(HTTP, None, None),
        ),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            None,
            Endpoint(HTTP, "http://localhost:4318", None),
        ),
    ],
)
def test_without_an_address_the_environment_counts(
    environment: dict[str, str], protocol: str | None, expected: Endpoint
) -> None:
    """OTEL_EXPORTER_OTLP_* means what it means everywhere: the exporters read it themselves."""
    assert expected == find_endpoint(None, protocol, None, environment)


def test_each_signal_has_its_path_over_http_alone() -> None:
    """gRPC has one address; HTTP one a signal."""
    http, grpc = Endpoint(HTTP, "http://host/otlp", None), Endpoint(GRPC, "http://host:4317", True)

    assert ("http://host/otlp/v1/traces", "http://host/otlp/v1/logs") == (
        http.signal_url("traces"),
        http.signal_url("logs"),
    )
    assert "http://host:4317" == grpc.signal_url("logs")
    assert Endpoint(HTTP, None, None).signal_url("logs") is None


@pytest.mark.parametrize(
    ("api_url", "protocol", "message"),
    [
        ("ftp://host", None, "api_url must start with http://, https://, grpc:// or grpcs://"),
        ("http://", None, "api_url has no host"),
        ("http://bob:secret@host:4317", None, "api_url must not hold credentials: give them in headers="),
        ("http://host:http", None, "api_url has a port that is not a number up to 65535"),
        ("http://host:4317", "udp", "protocol must be grpc or http/protobuf"),
    ],
)
def test_an_unusable_address_is_explained_without_quoting_it(
    api_url: str, protocol: str | None, message: str
) -> None:
    """The error says what is wrong; an address may hold credentials."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        find_endpoint(api_url, protocol, None, {})
