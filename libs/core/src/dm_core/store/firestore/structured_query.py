"""Selections as Firestore's structured queries."""

from typing import Any, cast

from google.cloud.firestore_v1 import types
from google.protobuf import wrappers_pb2

from dm_core.google_grpc import generated
from dm_core.store.document_values import storable
from dm_core.store.firestore.protobuf import encode
from dm_core.store.selections import EVERYWHERE, Selection

_Query = generated(types.StructuredQuery)
_Cursor, _Value = generated(types.Cursor), generated(types.Value)
_Int32 = cast("Any", wrappers_pb2.Int32Value)

_OPERATORS = {"<": 1, ">=": 4, "==": 5, "contains": 7, "in": 8}  # StructuredQuery.FieldFilter.Operator
_AND = 1  # StructuredQuery.CompositeFilter.Operator
_IS_NULL = 3  # StructuredQuery.UnaryFilter.Operator
_DIRECTIONS = {"asc": 1, "desc": 2}  # StructuredQuery.Direction


def structured_query(selection: Selection) -> Any:
    """A selection as a structured query."""
    orders = [
        _Query.Order(field=_Query.FieldReference(field_path=field), direction=_DIRECTIONS[direction])
        for field, direction in selection.order
    ]
    return _Query(
        where=_filter(selection),
        order_by=orders,
        limit=_Int32(value=selection.limit),
        from_=[
            _Query.CollectionSelector(collection_id=selection.collection, all_descendants=selection.query in EVERYWHERE)
        ],
    )


def _filter(selection: Selection) -> Any:
    if selection.operator is None:
        return None
    field = _Query.FieldReference(field_path=selection.field)
    if selection.operand is None:
        return _Query.Filter(unary_filter=_Query.UnaryFilter(field=field, op=_IS_NULL))
    condition = _compared(selection.field, selection.operator, selection.operand)
    if selection.below is None:
        return condition
    bound = _compared(selection.order[0][0], "<", selection.below)
    both = _Query.CompositeFilter(op=_AND, filters=[condition, bound])
    return _Query.Filter(composite_filter=both)


def _compared(field: str, operator: str, operand: object) -> Any:
    name = _Query.FieldReference(field_path=field)
    condition = _Query.FieldFilter(field=name, op=_OPERATORS[operator], value=encode(storable(operand)))
    return _Query.Filter(field_filter=condition)


def page_by_name(collection: str, limit: int, after: str | None) -> Any:
    """Documents of a collection in the order of their names, from behind the one of the full name ``after``."""
    name = _Query.FieldReference(field_path="__name__")
    query = _Query(
        order_by=[_Query.Order(field=name, direction=_DIRECTIONS["asc"])],
        limit=_Int32(value=limit),
        from_=[_Query.CollectionSelector(collection_id=collection)],
    )
    if after is not None:
        query.start_at.CopyFrom(_Cursor(values=[_Value(reference_value=after)], before=False))
    return query


def names_only(collection: str, limit: int) -> Any:
    """The first documents of a collection by name, without their fields; needs no index of its own."""
    name = _Query.FieldReference(field_path="__name__")
    return _Query(
        select=_Query.Projection(fields=[name]),
        limit=_Int32(value=limit),
        from_=[_Query.CollectionSelector(collection_id=collection)],
    )
