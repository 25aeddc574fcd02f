"""Values as they stand in a statement of ClickHouse."""


def literal(value: str | int | float) -> str:
    """As it stands in a statement."""
    return (
        str(value)
        if not isinstance(value, str)
        else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    )
