"""Server-side TLS, the same options for gRPC and HTTP.

tls:
  cert_file: server.pem
  key_file: server-key.pem
  client_ca_file: clients.pem     # mTLS: only clients with a certificate of this authority
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, Self

import grpc
from pydantic import Field, SecretStr, model_validator

from agenttracer.collector.component import Options
from agenttracer.collector.errors import StartError

_MIN_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class TlsOptions(Options):
    """Certificate and key, as files or as PEM text; a client authority makes it mutual."""

    cert_file: Path | None = Field(default=None, description="File of the server's certificate chain, PEM.")
    cert_pem: str | None = Field(default=None, description="The certificate chain itself, PEM.")
    key_file: Path | None = Field(default=None, description="File of the server's private key, PEM.")
    key_pem: SecretStr | None = Field(default=None, description="The private key itself, PEM.")
    client_ca_file: Path | None = Field(
        default=None, description="File of the authority that clients' certificates must come from: mTLS."
    )
    client_ca_pem: str | None = Field(default=None, description="The clients' authority itself, PEM.")
    min_version: Literal["1.2", "1.3"] = Field(default="1.2", description="Oldest TLS version spoken.")

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        for name in ("cert", "key"):
            if (getattr(self, f"{name}_file") is None) == (getattr(self, f"{name}_pem") is None):
                raise ValueError(f"must have exactly one of {name}_file and {name}_pem")
        if self.client_ca_file is not None and self.client_ca_pem is not None:
            raise ValueError("must have at most one of client_ca_file and client_ca_pem")
        return self


def ssl_context(options: TlsOptions, who: str) -> ssl.SSLContext:
    """What aiohttp takes; raises ``StartError``, its sentence begun by ``who``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _MIN_VERSIONS[options.min_version]
    with ExitStack() as files:
        certificate = options.cert_file or files.enter_context(_as_file(options.cert_pem))
        key = options.key_file or files.enter_context(_as_file(_key_pem(options)))
        try:
            context.load_cert_chain(
                certificate, key, password=""
            )  # an encrypted key must not ask at the terminal
        except (ssl.SSLError, ValueError) as error:
            raise StartError(
                f"{who}: the TLS certificate and key are not a matching, plain PEM pair."
            ) from error
        except OSError as error:
            names = " or ".join(str(name) for name in (options.cert_file, options.key_file) if name)
            raise StartError(f"{who} can't read the TLS file {names}: {error.strerror}.") from error
    client_ca = _read(options.client_ca_file, options.client_ca_pem, who)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(cadata=client_ca.decode())
        except (ssl.SSLError, ValueError) as error:
            raise StartError(f"{who}: the clients' authority is not a PEM certificate.") from error
    return context


def grpc_credentials(options: TlsOptions, who: str) -> grpc.ServerCredentials:
    """What ``grpc.Server.add_secure_port`` takes; raises ``StartError``, its sentence begun by ``who``."""
    ssl_context(options, who)  # gRPC takes any bytes for a key, and then fails every handshake
    certificate = _read(options.cert_file, options.cert_pem, who)
    key = _read(options.key_file, _key_pem(options), who)
    client_ca = _read(options.client_ca_file, options.client_ca_pem, who)
    return grpc.ssl_server_credentials(
        [(key, certificate)], client_ca, require_client_auth=client_ca is not None
    )


def _key_pem(options: TlsOptions) -> str | None:
    return None if options.key_pem is None else options.key_pem.get_secret_value()


def _read(file: Path | None, pem: str | None, who: str) -> bytes | None:
    if file is None:
        return None if pem is None else pem.encode()
    try:
        return file.read_bytes()
    except OSError as error:
        raise StartError(f"{who} can't read the TLS file {file}: {error.strerror}.") from error


@contextmanager
def _as_file(pem: str | None) -> Iterator[str]:
    # The ssl module takes files only; this one is readable by its owner alone, and gone at once.
    with tempfile.NamedTemporaryFile() as file:
        file.write((pem or "").encode())
        file.flush()
        yield file.name
