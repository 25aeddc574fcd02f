"""Who may send to the OTLP receiver, and how the connection is protected."""

from __future__ import annotations

import http.client
import logging
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status

from agenttracer.collector.component import Context
from agenttracer.collector.errors import StartError
from agenttracer.collector.extensions.bearer_token_auth import BearerTokenAuth, BearerTokenAuthOptions
from agenttracer.collector.telemetry import Telemetry
from tests.certificates import Authority
from tests.otlp_harness import (
    GOOD,
    PROTOBUF,
    TRACES,
    FakePipeline,
    Running,
    call,
    make_receiver,
    request,
    running_receiver,
)

_AUTH = {"auth": {"authenticator": "bearertokenauth"}}


def _authenticator() -> BearerTokenAuth:
    options = BearerTokenAuthOptions.model_validate({"tenants": {"acme": "token-a", "globex": "token-g"}})
    return BearerTokenAuth(options, Context(id="bearertokenauth", telemetry=Telemetry()))


@pytest.fixture(scope="module")
def guarded() -> Iterator[Running]:
    """A receiver that asks for tokens on both protocols."""
    extension = _authenticator()
    with running_receiver(
        {"grpc": _AUTH, "http": _AUTH}, extensions={"bearertokenauth": extension}
    ) as running:
        running.run(extension.start())
        yield running


@pytest.mark.parametrize(("token", "tenant"), [("token-a", "acme"), ("token-g", "globex")])
def test_the_token_names_the_tenant(guarded: Running, token: str, tenant: str) -> None:
    """Both protocols give the pipeline the tenant of the caller's token."""
    guarded.pipeline.requests.clear()
    call(guarded.grpc_port, TRACES, GOOD, metadata=(("authorization", f"Bearer {token}"),))
    request(guarded.http_port, headers={**PROTOBUF, "Authorization": f"Bearer {token}"})
    assert [tenant, tenant] == [received.tenant for received in guarded.pipeline.requests]


@pytest.mark.parametrize("given", [None, "Bearer wrong", "Bearer ", "token-a", "Basic token-a"])
def test_unknown_callers_are_unauthenticated(guarded: Running, given: str | None) -> None:
    """A missing or wrong token is UNAUTHENTICATED and 401, counted, and nothing reaches the pipeline."""
    guarded.pipeline.requests.clear()
    before = [guarded.requests(transport, "refused") for transport in ("grpc", "http")]
    with pytest.raises(grpc.RpcError) as raised:
        call(guarded.grpc_port, TRACES, GOOD, metadata=(("authorization", given),) if given else ())
    answer = request(guarded.http_port, headers={**PROTOBUF, **({"Authorization": given} if given else {})})
    assert grpc.StatusCode.UNAUTHENTICATED == raised.value.code()
    assert (401, "Bearer", 16) == (
        answer.status,
        answer.headers["www-authenticate"],
        Status.FromString(answer.body).code,
    )
    assert [] == guarded.pipeline.requests
    assert [count + 1 for count in before] == [
        guarded.requests(which, "refused") for which in ("grpc", "http")
    ]


def test_large_bodies_of_unknown_callers(guarded: Running) -> None:
    """An unknown caller's large request is refused without being read."""
    with pytest.raises(grpc.RpcError) as raised:
        call(guarded.grpc_port, TRACES, bytes(32 * 1024 * 1024))
    assert grpc.StatusCode.UNAUTHENTICATED == raised.value.code()
    opened = http.client.HTTPConnection("localhost", guarded.http_port, timeout=20)
    opened.putrequest("POST", "/v1/traces")
    for name, value in {**PROTOBUF, "Content-Length": str(32 * 1024 * 1024)}.items():
        opened.putheader(name, value)
    opened.endheaders()
    assert 401 == opened.getresponse().status
    opened.close()


def test_a_broken_authenticator_lets_nobody_in() -> None:
    """An unexpected error of the authenticator is UNAVAILABLE and 503: clients keep their data."""
    extension = _authenticator()
    extension.authenticate = lambda headers: {}["SECRET"]  # type: ignore[method-assign]
    with running_receiver(
        {"grpc": _AUTH, "http": _AUTH}, extensions={"bearertokenauth": extension}
    ) as running:
        with pytest.raises(grpc.RpcError) as raised:
            call(running.grpc_port, TRACES, GOOD)
        assert grpc.StatusCode.UNAVAILABLE == raised.value.code()
        assert 503 == request(running.http_port).status
        assert [] == running.pipeline.requests


def test_a_permission_error_of_the_pipeline_is_not_the_callers() -> None:
    """An unwritable folder behind the receiver must not make clients drop data as unauthenticated."""

    def fail(_: Any) -> Any:
        raise PermissionError(13, "denied")

    with running_receiver(pipeline=FakePipeline(answer=fail)) as running:
        with pytest.raises(grpc.RpcError) as raised:
            call(running.grpc_port, TRACES, GOOD)
        assert grpc.StatusCode.UNAVAILABLE == raised.value.code()
        assert 503 == request(running.http_port).status


@pytest.mark.parametrize(
    ("extensions", "cause"),
    [({}, "not listed in service::extensions"), ({"bearertokenauth": object()}, "no authenticator")],
)
def test_the_authenticator_must_exist(extensions: Mapping[str, Any], cause: str) -> None:
    """A receiver whose authenticator is missing does not start, rather than start open."""
    with (
        pytest.raises(StartError, match=f'receivers::otlp: auth::authenticator "bearertokenauth" is {cause}'),
        running_receiver({"grpc": _AUTH}, extensions=extensions),
    ):
        pass


@dataclass(frozen=True)
class _Files:
    folder: Path
    authority: Authority

    def tls(self, **more: str) -> dict[str, Any]:
        cert, key = self.folder / "cert.pem", self.folder / "key.pem"
        return {"tls": {"cert_file": str(cert), "key_file": str(key), **more}}

    def https(self, client: tuple[bytes, bytes] | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        if client is not None:
            both = self.folder / "client.pem"
            both.write_bytes(b"".join(client))
            context.load_cert_chain(both)
        return context

    def grpcs(self, client: tuple[bytes, bytes] | None = None) -> grpc.ChannelCredentials:
        cert, key = client or (None, None)
        return grpc.ssl_channel_credentials(self.authority.pem, key, cert)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> _Files:
    """A server's certificate and key as files."""
    made = _Files(tmp_path_factory.mktemp("tls"), Authority())
    cert, key = made.authority.sign("localhost")
    (made.folder / "cert.pem").write_bytes(cert)
    (made.folder / "key.pem").write_bytes(key)
    (made.folder / "ca.pem").write_bytes(made.authority.pem)
    return made


@pytest.mark.parametrize("as_text", [False, True], ids=["files", "pem"])
def test_tls(files: _Files, as_text: bool) -> None:
    """Both protocols speak TLS with a certificate from files or from the configuration, and no plain text."""
    tls = files.tls()
    if as_text:
        cert, key = ((files.folder / name).read_text() for name in ("cert.pem", "key.pem"))
        tls = {"tls": {"cert_pem": cert, "key_pem": key}}
    with running_receiver({"grpc": tls, "http": tls}) as running:
        assert b"" == call(running.grpc_port, TRACES, GOOD, credentials=files.grpcs())
        assert 200 == request(running.http_port, context=files.https()).status
        with pytest.raises(grpc.RpcError):
            call(running.grpc_port, TRACES, GOOD, timeout_seconds=5)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            request(running.http_port)
        assert 2 == len(running.pipeline.requests)


def test_mutual_tls(files: _Files) -> None:
    """With a clients' authority, only clients that have its certificate are heard."""
    client, stranger = files.authority.sign("agent"), Authority().sign("agent")
    tls = files.tls(client_ca_file=str(files.folder / "ca.pem"))
    with running_receiver({"grpc": tls, "http": tls}) as running:
        for unknown in (None, stranger):
            with pytest.raises(grpc.RpcError) as raised:
                call(running.grpc_port, TRACES, GOOD, credentials=files.grpcs(unknown), timeout_seconds=5)
            assert grpc.StatusCode.UNAVAILABLE == raised.value.code()
            with pytest.raises((ssl.SSLError, ConnectionError)):
                request(running.http_port, context=files.https(unknown))
        assert [] == running.pipeline.requests
        assert b"" == call(running.grpc_port, TRACES, GOOD, credentials=files.grpcs(client))
        assert 200 == request(running.http_port, context=files.https(client)).status


def test_old_tls_is_refused(files: _Files) -> None:
    """HTTP's min_version holds."""
    context = files.https()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with running_receiver({"http": files.tls(min_version="1.3")}) as running:
        with pytest.raises(ssl.SSLError):
            request(running.http_port, context=context)
        assert 200 == request(running.http_port, context=files.https()).status


@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cert_file": "missing.pem"}, "can't read the TLS file"),
        ({"cert_file": "ca.pem"}, "not a matching, plain PEM pair"),
        ({"client_ca_file": "key.pem"}, "the clients' authority is not a PEM certificate"),
        ({"client_ca_file": "missing.pem"}, "can't read the TLS file"),
    ],
)
def test_bad_certificates(files: _Files, protocol: str, change: Mapping[str, str], message: str) -> None:
    """A certificate that can't be used is one sentence at the start."""
    tls = files.tls(**{name: str(files.folder / file) for name, file in change.items()})
    with pytest.raises(StartError, match=message), running_receiver({protocol: tls}):
        pass


@pytest.mark.parametrize(
    ("endpoint", "more", "warnings"),
    [
        ("0.0.0.0:0", {}, 1),
        ("0.0.0.0:0", _AUTH, 0),
        ("localhost:0", {}, 0),
        ("127.0.0.1:0", {}, 0),
        ("[::1]:0", {}, 0),
    ],
)
def test_an_open_door_is_warned_of(
    caplog: pytest.LogCaptureFixture, endpoint: str, more: Mapping[str, Any], warnings: int
) -> None:
    """Listening to the network without TLS and authentication is one warning a protocol."""
    extensions = {"bearertokenauth": _authenticator()}
    with (
        caplog.at_level(logging.WARNING),
        running_receiver({"http": {"endpoint": endpoint, **more}}, extensions=extensions),
    ):
        assert warnings == caplog.text.count("without TLS and without authentication")


def test_min_version_of_grpc_is_refused() -> None:
    """A promise that gRPC can't keep is a configuration error, not silence."""
    with pytest.raises(ValueError, match="min_version can't be raised for gRPC"):
        make_receiver(
            {"grpc": {"tls": {"cert_pem": "c", "key_pem": "k", "min_version": "1.3"}}}, FakePipeline()
        )
