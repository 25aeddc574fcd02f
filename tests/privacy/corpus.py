"""Every captured payload with markers planted into it, a few requests a signal, in protobuf and in JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from google.protobuf import json_format

from agenttracer.schemas.batch import Signal
from tests.otlp_reference import REQUESTS
from tests.privacy.planting import Planter
from tests.running_collector import captures

_IDS = ("traceId", "spanId", "parentSpanId")


@cache
def planted(signal: Signal) -> tuple[tuple[bytes, ...], Planter]:
    """Each captured payload of a signal with markers in it, and who planted them."""
    planter = Planter()
    bodies = []
    for _, _, body in captures([signal]):
        planter.plant(request := REQUESTS[signal].FromString(body))
        bodies.append(request.SerializeToString())
    return tuple(bodies), planter


def merged(bodies: Sequence[bytes], together: int) -> list[bytes]:
    """Fewer requests with the same content: messages of protobuf that follow each other are one."""
    return [b"".join(bodies[start : start + together]) for start in range(0, len(bodies), together)]


def as_json(signal: Signal, body: bytes) -> bytes:
    """A request as OTLP has it in JSON: ids in hexadecimal."""
    written = json_format.MessageToDict(REQUESTS[signal].FromString(body), use_integers_for_enums=True)
    return json.dumps(_with_hex_ids(written)).encode()


def _with_hex_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: base64.b64decode(each).hex() if key in _IDS else _with_hex_ids(each)
            for key, each in value.items()
        }
    return [_with_hex_ids(each) for each in value] if isinstance(value, list) else value
