"""Where telemetry goes: any OTLP address, gRPC or HTTP.

http://host:4317  grpc://host:4317  localhost:4317    OTLP/gRPC
https://host:4317  grpcs://host:4317  host:4317       OTLP/gRPC over TLS
http://host:4318  https://host/v1/traces  …/otlp      OTLP/HTTP: port 4318, or a path
protocol="http/protobuf"                              OTLP/HTTP on any port
none given                                            OTEL_EXPORTER_OTLP_*, else http://localhost:4317
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, cast
from urllib.parse import SplitResult, urlsplit

Protocol = Literal["grpc", "http/protobuf"]

_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
_SIGNAL_PATHS = ("/v1/traces", "/v1/logs", "/v1/metrics")
_PROTOCOLS = ("grpc", "http/protobuf")


class Endpoint(NamedTuple):
    """An OTLP address. ``url`` has no signal's path; None lets the exporters read the environment."""

    protocol: Protocol
    url: str | None
    insecure: bool | None

    def signal_url(self, signal: Literal["traces", "logs", "metrics"]) -> str | None:
        """The address for a signal, as the exporter of this protocol wants it."""
        if self.url is None or self.protocol == "grpc":
            return self.url
        return f"{self.url}/v1/{signal}"


def find_endpoint(
    api_url: str | None, protocol: str | None, insecure: bool | None, environment: Mapping[str, str]
) -> Endpoint:
    """The endpoint for these arguments of ``AgentTracer``.

    Raises ``ValueError`` with what is wrong, without the address: addresses may hold credentials.
    """
    if api_url is None:
        return _from_environment(protocol, insecure, environment)
    url = _split(api_url, insecure)
    chosen = _protocol(protocol) or _protocol_of(url)
    secure = url.scheme in ("https", "grpcs")
    scheme = "https" if secure else "http"
    if chosen == "grpc":
        # Without a port TLS means 443 to gRPC; without TLS it would mean 80, where no OTLP is spoken.
        netloc = url.netloc if url.port or secure else f"{url.netloc}:4317"
        return Endpoint("grpc", f"{scheme}://{netloc}", insecure=not secure)
    path = url.path.rstrip("/")
    for signal_path in _SIGNAL_PATHS:
        path = path.removesuffix(signal_path)
    return Endpoint("http/protobuf", f"{scheme}://{url.netloc}{path}", insecure=None)


def _from_environment(
    protocol: str | None, insecure: bool | None, environment: Mapping[str, str]
) -> Endpoint:
    named = protocol or environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
    named = named or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    found = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environment.get(
        "OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    if found:
        return Endpoint(
            _protocol(named) or _protocol_of(_split(found, insecure)), url=None, insecure=insecure
        )
    chosen = _protocol(named) or "grpc"
    if chosen == "grpc":
        return Endpoint("grpc", "http://localhost:4317", insecure=True)
    return Endpoint("http/protobuf", "http://localhost:4318", insecure=None)


def _split(address: str, insecure: bool | None) -> SplitResult:
    if "://" not in address:
        host = urlsplit(f"//{address}").hostname
        # Tokens travel in the headers: plain text is for this machine, unless it was asked for.
        plain = host in _LOCAL_HOSTS if insecure is None else insecure
        address = f"{'http' if plain else 'https'}://{address}"
    url = urlsplit(address)
    if url.scheme not in ("http", "https", "grpc", "grpcs"):
        raise ValueError("api_url must start with http://, https://, grpc:// or grpcs://")
    if not url.hostname:
        raise ValueError("api_url has no host")
    if url.username or url.password:
        raise ValueError("api_url must not hold credentials: give them in headers=")
    try:
        url.port  # noqa: B018 - raises for a port that is no number
    except ValueError:
        raise ValueError("api_url has a port that is not a number up to 65535") from None
    return url


def _protocol(name: str | None) -> Protocol | None:
    if name is None:
        return None
    if name not in _PROTOCOLS:
        raise ValueError("protocol must be grpc or http/protobuf")
    return cast(Protocol, name)


def _protocol_of(url: SplitResult) -> Protocol:
    if url.scheme in ("grpc", "grpcs"):
        return "grpc"
    return "http/protobuf" if url.port == 4318 or url.path.rstrip("/") else "grpc"
