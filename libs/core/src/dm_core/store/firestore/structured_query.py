"""Selections as Firestore's structured queries."""

from typing import Any, cast

from google.cloud.firestore_v1 import types
from google.protobuf import wrappers_pb2

from dm_core.google_grpc import generated
from dm_core.store.document_values import clean
from dm_core.store.firestore.protobuf import encode
from dm_core.store.queries import Selection

_Query = generated(types.StructuredQuery)
_Int32 = cast("Any", wrappers_pb2.Int32Value)

_OPERATORS = {"<": 1, "==": 5, "contains": 7, "in": 8}  # StructuredQuery.FieldFilter.Operator
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
        from_=[_Query.CollectionSelector(collection_id=selection.collection)],
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
    condition = _Query.FieldFilter(field=name, op=_OPERATORS[operator], value=encode(clean(operand)))
    return _Query.Filter(field_filter=condition)


def names_only(collection: str, limit: int) -> Any:
    """The first documents of a collection by name, without their fields; needs no index of its own."""
    name = _Query.FieldReference(field_path="__name__")
    return _Query(
        select=_Query.Projection(fields=[name]),
        limit=_Int32(value=limit),
        from_=[_Query.CollectionSelector(collection_id=collection)],
    )
