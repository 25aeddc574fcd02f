"""Log records: undecoded items to a table; their bodies join the attributes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from agenttracer.collector.decode import wire
from agenttracer.collector.decode.envelope import Envelope
from agenttracer.collector.decode.identifiers import SPAN_ID_BYTES, TRACE_ID_BYTES, hex_ids
from agenttracer.collector.decode.rows import Rows
from agenttracer.collector.decode.timestamps import timestamps
from agenttracer.schemas.batch import Place
from agenttracer.schemas.logs import DECODED_LOGS

_LAST_SEVERITY_NUMBER = 24


def read_logs(envelope: Envelope, received_unix_ns: int) -> Rows:
    """Every log record: invalid ids become '', a missing time that of its observation, else of its receipt."""
    logs = wire.parse(wire.LOG_RECORD, envelope.items)
    bodies = logs.column("body")
    if len(bodies.values) and np.diff(bodies.offsets.to_numpy()).max() > 1:
        raise wire.Ambiguous
    observed = logs.column("observed_time_unix_nano").to_numpy()
    observed = np.where(observed == 0, np.uint64(received_unix_ns), observed)
    time = logs.column("time_unix_nano").to_numpy()
    severity = logs.column("severity_number").to_numpy()
    severity = np.where((severity < 0) | (severity > _LAST_SEVERITY_NUMBER), 0, severity)
    rows = pa.RecordBatch.from_arrays(
        [
            pa.array(envelope.resource_of_item),
            pa.array(envelope.scope_of_item),
            timestamps(np.where(time == 0, observed, time)),
            hex_ids(logs.column("trace_id"), TRACE_ID_BYTES)[0],
            hex_ids(logs.column("span_id"), SPAN_ID_BYTES)[0],
            pa.array(logs.column("flags").to_numpy().astype(np.uint8)),
            logs.column("severity_text"),
            pa.array(severity.astype(np.uint8)),
            logs.column("event_name"),
            logs.column("dropped_attributes_count"),
        ],
        schema=DECODED_LOGS,
    )
    attributes = [(Place.ROW, logs.column("attributes")), (Place.BODY, bodies)]
    return Rows({"rows": rows}, attributes, envelope.request_of_item)
