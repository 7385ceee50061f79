"""The SQL of the store's tables and indexes, and of its queries. Names come from the code, never from outside."""

from typing import cast

from dm_core.store.selections import EVERYWHERE, Query, Selection

TABLES = """
CREATE TABLE IF NOT EXISTS documents (
    collection TEXT NOT NULL,
    parent TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    expire_at INTEGER,
    doc TEXT NOT NULL,
    PRIMARY KEY (collection, parent, id)
);
CREATE INDEX IF NOT EXISTS expiring ON documents(expire_at) WHERE expire_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS counter (last_version INTEGER NOT NULL);
"""
"""``version`` comes from one counter for the whole file, so that a document made anew never repeats an old one."""


def _field(name: str) -> str:
    return f"json_extract(doc, '$.{name}')"


def index_statement(query: Query) -> str:
    """The index a query of the port needs."""
    collection, fields = query.value
    columns = ", ".join(f"{_field(name)} {direction}" for name, direction in fields)
    return (
        f"CREATE INDEX IF NOT EXISTS {query.name.lower()} ON documents({_place(query)}{columns}) "
        f"WHERE collection = '{collection}'"
    )


def _place(query: Query) -> str:
    return "" if query in EVERYWHERE else "parent, "


def select_statement(selection: Selection) -> tuple[str, list[object]]:
    """A selection as SQL with its parameters. ``INDEXED BY``: a scan instead of the index is an error, not a delay."""
    everywhere = selection.query in EVERYWHERE
    parameters: list[object] = [] if everywhere else [selection.parent]
    condition = "" if everywhere else " AND parent = ?"
    match selection.operator:
        case "in":
            operands = cast("list[object]", selection.operand)
            condition += f" AND {_field(selection.field)} IN ({', '.join('?' * len(operands))})"
            parameters += operands
        case "==":
            condition += f" AND {_field(selection.field)} IS ?"
            parameters.append(selection.operand)
        case "contains":
            condition += f" AND EXISTS (SELECT 1 FROM json_each(doc, '$.{selection.field}') WHERE value = ?)"  # noqa: S608 - own names
            parameters.append(selection.operand)
        case "<" | ">=":
            condition += f" AND {_field(selection.field)} {selection.operator} ?"
            parameters.append(selection.operand)
        case None:
            condition += f" AND {_field(selection.field)} IS NOT NULL"
    if selection.below is not None:
        condition += f" AND {_field(selection.order[0][0])} < ?"
        parameters.append(selection.below)
    order = ", ".join(f"{_field(name)} {direction}" for name, direction in selection.order)
    statement = (
        f"SELECT id, version, doc FROM documents INDEXED BY {selection.query.name.lower()} "  # noqa: S608 - own names
        f"WHERE collection = '{selection.collection}'{condition}"
        f"{f' ORDER BY {order}' if order else ''} LIMIT ?"
    )
    return statement, [*parameters, selection.limit]
