"""Content that is kept on purpose: on its way to the artifact store, never in the database.

A row of this table is one object: what a step was told, or what it answered, masked. The attribute that
points at it is ``schemas/content.py``'s REFERENCES.
"""

import pyarrow as pa

from agenttracer.schemas.columns import SAFE, TEXT, column

CONTENT_PREFIX = "content-"
"""How the names of these objects begin: they have a retention of their own."""

CONTENTS = pa.schema(
    [
        column("Key", pa.string(), SAFE, "tenant/agent/run/uuid/content-<role>.json"),
        column("Content", pa.string(), TEXT, "a JSON object: attribute key → its text, masked"),
    ]
)
