"""Stands between a client and the Firestore emulator: notes calls, loses replies, sends twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc  # type: ignore[import-untyped]  # grpcio ships no types

from cartwheel.ports import JsonObject

if TYPE_CHECKING:
    from google.cloud.firestore_v1.types import StructuredQuery

Shape = tuple[str, frozenset[str], tuple[tuple[str, str], ...]]
"""Is a collection, the fields that are compared, and those that are sorted by, with their way."""

_SERVICE = "google.firestore.v1.Firestore"
_COMMIT, _BATCH_GET, _RUN_QUERY = "Commit", "BatchGetDocuments", "RunQuery"


class Relay:
    """Hands calls on as they are, but for the faults that are planned; each plan is for one call.

    `send_twice` sends a commit, then sends it again and hands on what comes of that, as a transport
    does whose reply was lost. `lose_reply` applies a commit and answers UNAVAILABLE. What is in
    `refused_commits` and `refused_reads`, names of status codes, is answered instead of a call.
    """

    def __init__(self, upstream: str) -> None:
        self._channel = grpc.insecure_channel(upstream)
        self._pool = ThreadPoolExecutor(32)
        self._server = grpc.server(self._pool)
        handlers = {
            _COMMIT: grpc.unary_unary_rpc_method_handler(self._commit),
            _BATCH_GET: grpc.unary_stream_rpc_method_handler(self._batch_get),
            _RUN_QUERY: grpc.unary_stream_rpc_method_handler(self._run_query),
        }
        handler = grpc.method_handlers_generic_handler(_SERVICE, handlers)
        self._server.add_generic_rpc_handlers((handler,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        self.send_twice = self.lose_reply = False
        self.refused_commits: list[str] = []
        self.refused_reads: list[str] = []
        self.commits = 0
        self._queries: list[bytes] = []

    def queries(self) -> list[StructuredQuery]:
        """Give the queries that went through."""
        from google.cloud.firestore_v1.types import RunQueryRequest

        return [RunQueryRequest.deserialize(each).structured_query for each in self._queries]

    def close(self) -> None:
        """End the server."""
        self._server.stop(0).wait()
        self._channel.close()
        self._pool.shutdown()

    def _commit(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.commits += 1
        _refuse(self.refused_commits, context)
        twice, lost = self.send_twice, self.lose_reply
        self.send_twice = self.lose_reply = False
        call = self._channel.unary_unary(f"/{_SERVICE}/{_COMMIT}")
        with _passing_on(context):
            if twice:
                call(request, timeout=10, metadata=_metadata(context))
            answer: bytes = call(request, timeout=10, metadata=_metadata(context))
            if lost:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the reply was lost")
        return answer

    def _batch_get(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield from self._stream(_BATCH_GET, request, context)

    def _run_query(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        self._queries.append(request)
        yield from self._stream(_RUN_QUERY, request, context)

    def _stream(
        self, method: str, request: bytes, context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        _refuse(self.refused_reads, context)
        call = self._channel.unary_stream(f"/{_SERVICE}/{method}")
        with _passing_on(context):
            yield from call(request, timeout=10, metadata=_metadata(context))


def _refuse(planned: list[str], context: grpc.ServicerContext) -> None:
    if planned:
        context.abort(grpc.StatusCode[planned.pop(0)], "as planned")


@contextmanager
def _passing_on(context: grpc.ServicerContext) -> Iterator[None]:
    """Answer with the error that the emulator gave."""
    try:
        yield
    except grpc.RpcError as error:
        context.abort(error.code(), error.details())


def _metadata(context: grpc.ServicerContext) -> list[tuple[str, str]]:
    named = ("authorization", "google-cloud-resource-prefix", "x-goog-request-params")
    return [(key, value) for key, value in context.invocation_metadata() if key in named]


def shape_of(query: StructuredQuery) -> Shape:
    """Give what a query needs of an index: the fields it compares, then those it sorts by."""
    equal: set[str] = set()
    ranges: set[str] = set()
    where = query.where
    filters = list(where.composite_filter.filters) if "composite_filter" in where else [where]
    for each in filters:
        is_equal = each.field_filter.op.name == "EQUAL"
        (equal if is_equal else ranges).add(each.field_filter.field.field_path)
    orders = tuple((order.field.field_path, order.direction.name) for order in query.order_by)
    # A field that is compared by order has to be the first that is sorted by.
    assert ranges <= {orders[0][0]}
    (source,) = query.from_
    return source.collection_id, frozenset(equal), orders


def shape_of_index(index: JsonObject) -> Shape:
    """Read an index of `firestore.indexes.json`: its first field is the one that is compared."""
    fields = index["fields"]
    assert isinstance(fields, list)
    pairs = [(str(field["fieldPath"]), str(field["order"])) for field in fields]  # type: ignore[index,call-overload]  # objects
    return str(index["collectionGroup"]), frozenset({pairs[0][0]}), tuple(pairs[1:])
