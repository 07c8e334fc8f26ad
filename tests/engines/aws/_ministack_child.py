"""Starts ministack with two corrections, in its own environment.

ministack hands an invocation to a user's server when the function names one, but takes every answer
of that server for a success. Here an answer with the header that Lambda itself sends for a
function's error, `X-Amz-Function-Error`, is one. The Step Functions interpreter is untouched.

ministack measures the 4 MB of a DynamoDB transaction on the request, in which each quote of a text
is escaped; AWS says that it is the size of the items, so here they are added up.
"""

from __future__ import annotations

import json
import urllib.request
from importlib import import_module

lambda_svc = import_module("ministack.services.lambda_svc")
dynamodb = import_module("ministack.services.dynamodb")
TRANSACTION_BYTES = 4 * 1024 * 1024
REQUEST_BYTES = 4 * TRANSACTION_BYTES
transact = dynamodb._transact_write_items


def proxied(func: object, event: object, url: str, request_id: str) -> dict[str, object]:
    """Forward an invocation and tell an error from a result."""
    body = json.dumps(event, ensure_ascii=False).encode("utf-8")
    headers = {"Content-Type": "application/json", "X-Amzn-Lambda-Request-Id": request_id}
    asked = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310  # loopback
    with urllib.request.urlopen(asked, timeout=900) as answer:  # noqa: S310  # same
        failed = answer.headers.get("X-Amz-Function-Error")
        found = json.loads(answer.read() or b"null")
    return {"body": found, "error": True} if failed else {"body": found}


def measured(data: dict[str, list[dict[str, dict[str, dict[str, object]]]]]) -> object:
    """Refuse a transaction whose items are too large together, and do the others."""
    writes = [write for action in data.get("TransactItems", []) for write in action.values()]
    items = [write.get("Item", write.get("Key", {})) for write in writes]
    if sum(map(dynamodb._item_size_bytes, items)) > TRANSACTION_BYTES:
        said = "Transaction request exceeds the 4MB transaction size limit"
        return dynamodb.error_response_json("ValidationException", said, 400)
    return transact(data)


vars(dynamodb).update(_transact_write_items=measured, _DDB_TXN_MAX_BYTES=REQUEST_BYTES)
vars(lambda_svc)["_execute_function_proxy"] = proxied

if __name__ == "__main__":
    import_module("ministack.app").main()
