"""How a column says what it may carry: the field metadata that redaction and documentation read."""

import pyarrow as pa

ID = "id"  # opaque, its format enforced where it is decoded: kept
SAFE = "safe"  # made here from a closed list, or not a string: kept
LABEL = "label"  # enum-like: kept when it passes as a label
NAME = "name"  # of a service, scope, run: kept when it passes as a name, hashed otherwise
AGENT_NAME = "agent"  # the same, and hashed where a tenant brings more of them than its share;
MODEL_NAME = "model"  # so are these,
STEP_NAME = "step"  # and these,
TOOL_NAME = "tool"  # and these, which are strict about their style: models invent names of tools
HASHED = "hashed"  # who, or which session: kept as a keyed hash
TEXT = "text"  # free text: never kept


def column(name: str, arrow_type: pa.DataType, content: str, source: str, unit: str = "") -> pa.Field:
    """A column with what it may carry, where its value comes from, and its unit."""
    return pa.field(name, arrow_type, metadata={"content": content, "source": source, "unit": unit})


def content_class(field: pa.Field) -> str:
    """One of the classes above; a field without a declaration is free text."""
    return (field.metadata or {}).get(b"content", TEXT.encode()).decode()


def source_of(field: pa.Field) -> str:
    """Where its value comes from, in words; names of attributes among them."""
    return (field.metadata or {}).get(b"source", b"").decode()


def content_classes(schema: pa.Schema) -> tuple[tuple[str, str], ...]:
    """(column, content class) of a declared schema."""
    # Not to be remembered by schema: two are equal whatever their fields declare.
    return tuple((field.name, content_class(field)) for field in schema)


STRINGS = pa.dictionary(pa.int32(), pa.string())
"""Strings that repeat: held once, pointed at by number."""

TIME = pa.timestamp("ns", tz="UTC")

RESOURCES = pa.schema(
    [
        column("TenantId", pa.string(), SAFE, "authentication"),
        column("ServiceName", pa.string(), NAME, "resource attribute service.name"),
        column("ResourceSchemaUrl", pa.string(), LABEL, "ResourceSpans.schema_url"),
    ]
)

SCOPES = pa.schema(
    [
        column("ScopeName", pa.string(), NAME, "InstrumentationScope.name"),
        column("ScopeVersion", pa.string(), LABEL, "InstrumentationScope.version"),
        column("ScopeSchemaUrl", pa.string(), LABEL, "ScopeSpans.schema_url"),
        column("ScopeDroppedAttrCount", pa.uint32(), SAFE, "InstrumentationScope.dropped_attributes_count"),
    ]
)
