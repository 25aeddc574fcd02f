"""The redaction ledger: how many values of each kind a policy changed, by whom they were sent. Never a value.

A batch carries the lines of its own rows to the store, so that they are there exactly if the rows are.
"""

import pyarrow as pa

from agenttracer.schemas.columns import LABEL, NAME, SAFE, TIME, column

LEDGER = pa.schema(
    [
        column("TenantId", pa.string(), SAFE, "authentication"),
        column("Time", TIME, SAFE, "when the values were redacted"),
        column("PolicyHash", pa.string(), SAFE, "redaction: the policy that decided"),
        column("ServiceName", pa.string(), NAME, "resource attribute service.name, redacted"),
        column("Place", pa.string(), SAFE, "where in the request: resource, scope, row, event, link, ..."),
        column("Rule", pa.string(), LABEL, "the rule or detector that decided"),
        column("Class", pa.string(), SAFE, "what the value was taken for: attribute, name, label, text, ..."),
        column("Action", pa.string(), SAFE, "drop, mask, hash or move"),
        column("Count", pa.uint64(), SAFE, "how many values"),
        column("Bytes", pa.uint64(), SAFE, "their size", "By"),
    ]
)
