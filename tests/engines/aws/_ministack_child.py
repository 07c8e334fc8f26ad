"""Starts ministack with a few corrections, in its own environment.

ministack hands an invocation to a user's server when the function names one, but takes every answer
of that server for a success. Here an answer with the header that Lambda itself sends for a
function's error, `X-Amz-Function-Error`, is one. The Step Functions interpreter is untouched.

ministack measures the 4 MB of a DynamoDB transaction on the request, in which each quote of a text
is escaped; AWS says that it is the size of the items, so here they are added up.

ministack runs functions of Python under a runner of its own, which gives every error one name. With
RUNTIME_CLIENT, a Python that has AWS's runtime client, they run under that: as functions of a
provided runtime whose bootstrap starts the client, with the layers on Python's path. So that a
small machine is not full of processes, a function does a few things of a kind at a time (SLOTS),
and what comes beyond waits; kinds have slots of their own, since requests wait for tasks.

ministack answers `/health` itself, also when it is an application's API that is asked. Here only
the paths under its own name are its own.

A crash can be ordered with a file, crash.json: the function's process is killed with SIGKILL when,
in that task, it writes to that table - before the write is done, or after it and before the answer.
The file is gone once that has happened.

With AUTH it holds callers to their policies. AWS has no permission for a batch of messages, it asks
for that of each; and it asks for a mail's sending on the identities of its sender, where ministack
asks for it on everything. ASKED names a file for what was asked: a line of JSON for each caller,
action and resource, and whether it was granted.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import tempfile
import threading
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

lambda_svc = import_module("ministack.services.lambda_svc")
dynamodb = import_module("ministack.services.dynamodb")
server = import_module("ministack.app")
TRANSACTION_BYTES = 4 * 1024 * 1024
REQUEST_BYTES = 4 * TRANSACTION_BYTES
SLOTS = {"http": 3, "batch": 1, "other": 3}
"""How many requests, batches of messages and other events a function answers at a time."""
CRASH = Path("crash.json")
transact = dynamodb._transact_write_items
put = dynamodb._put_item


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


workers = import_module("ministack.core.lambda_runtime")
under_way: Counter[tuple[str, str]] = Counter()
"""How many invocations are under way, by function and task."""
ordering = threading.Lock()


def killed(tables: set[str], when: str) -> bool:
    """Kill the process whose crash is ordered for this write, and tell whether one was."""
    if not CRASH.exists():
        return False
    with ordering:
        if not CRASH.exists():
            return False
        told = json.loads(CRASH.read_text())
        place = (told["function"], told["task"])
        if told["when"] != when or told["table"] not in tables or not under_way[place]:
            return False
        for pool in list(workers._workers.values()):
            for worker in pool:
                if worker.in_use and worker.func_name == told["function"]:
                    worker._proc.kill()
        CRASH.unlink()
    return True


def crashing(
    write: Callable[[dict[str, object]], object], tables: Callable[[dict[str, object]], set[str]]
) -> Callable[[dict[str, object]], object]:
    """Let a crash happen before a write and after it."""

    def done(data: dict[str, object]) -> object:
        if killed(tables(data), "before"):
            # Nobody is there any more to read it.
            return dynamodb.error_response_json("InternalServerError", "the caller is gone", 500)
        answer = write(data)
        killed(tables(data), "after")
        return answer

    return done


def of_transaction(data: dict[str, object]) -> set[str]:
    """Name the tables that a transaction writes to."""
    actions = cast("list[dict[str, dict[str, str]]]", data.get("TransactItems", []))
    return {write.get("TableName", "") for action in actions for write in action.values()}


CLIENT = os.environ.get("RUNTIME_CLIENT")
BOOTSTRAP = """#!/bin/sh
export PYTHONPATH="$LAMBDA_TASK_ROOT$RUNTIME_LAYERS" PYTHONDONTWRITEBYTECODE=1
exec "$RUNTIME_CLIENT" -m awslambdaric "$_HANDLER"
"""
run_provided = lambda_svc._execute_function_provided_warm
unpacking = threading.Lock()
slots: dict[tuple[str, str], threading.Semaphore] = {}


@functools.cache
def started_by_bootstrap(code: bytes) -> bytes:
    """Give a function's package with a bootstrap that starts the client."""
    packed = io.BytesIO(code)
    with zipfile.ZipFile(packed, "a") as archive:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o755 << 16
        archive.writestr(bootstrap, BOOTSTRAP)
    return packed.getvalue()


@functools.cache
def unpacked(layer: bytes) -> str:
    """Unpack a layer once and give its folder of Python code."""
    folder = Path(tempfile.gettempdir(), f"layer-{hashlib.sha256(layer).hexdigest()[:16]}")
    with zipfile.ZipFile(io.BytesIO(layer)) as archive:
        archive.extractall(folder)
    return str(folder / "python")


def under_the_client(func: dict[str, object], event: object, request_id: str) -> object:
    """Run a function of Python under AWS's runtime client."""
    config = dict(cast("dict[str, object]", func.get("config") or func))
    layers = [lambda_svc._resolve_layer_zip(ref) for ref in cast("list[object]", config["Layers"])]
    with unpacking:
        path = "".join(f":{unpacked(layer)}" for layer in layers)
    given = cast("dict[str, dict[str, str]]", config.get("Environment") or {})
    variables = {**given.get("Variables", {}), "RUNTIME_LAYERS": path}
    config |= {"Runtime": "provided.al2023", "Environment": {"Variables": variables}}
    code = func.get("code_zip")
    packed = started_by_bootstrap(code) if isinstance(code, bytes) else code
    name = str(config["FunctionName"])
    given_event = cast("dict[str, object]", event) if isinstance(event, dict) else {}
    place = (name, str(given_event.get("task")))
    kind = "http" if "requestContext" in given_event else "other"
    kind = "batch" if "Records" in given_event else kind
    with ordering:
        slot = slots.setdefault((name, kind), threading.Semaphore(SLOTS[kind]))
    with slot:
        with ordering:
            under_way[place] += 1
        try:
            return run_provided({**func, "config": config, "code_zip": packed}, event, request_id)
        finally:
            with ordering:
                under_way[place] -= 1


ASKED = os.environ.get("ASKED")
BATCHES = {"sns:PublishBatch": "sns:Publish", "sqs:SendMessageBatch": "sqs:SendMessage"}
evaluator = import_module("ministack.core.iam_evaluator")
actions = import_module("ministack.core.iam_actions")
enforce = evaluator.enforce
mail_resource = actions._ses_v2_resource_arn
writing = threading.Lock()


def asked(
    key: str, action: str, service: str, region: str, resource_arn: str = "*", **more: object
) -> object:
    """Ask whether a caller may do something, as AWS names it, and note it."""
    action = BATCHES.get(action, action)
    denied = enforce(key, action, service, region, resource_arn=resource_arn, **more)
    if ASKED:
        account = import_module("ministack.core.responses").get_account_id()
        caller = getattr(evaluator.resolve_principal(key or "", account), "arn", "")
        line = json.dumps([caller, action, resource_arn, denied is None])
        with writing, Path(ASKED).open("a", encoding="utf-8") as log:
            log.write(line + "\n")
    return denied


def identity_of_sender(method: str, path: str, body: bytes, region: str, account: str) -> str:
    """Name the identity that a mail is sent as."""
    if path.rstrip("/").endswith("/outbound-emails"):
        sender = str(json.loads(body or b"{}").get("FromEmailAddress", ""))
        address = sender.rpartition("<")[2].rstrip("> ")
        return f"arn:aws:ses:{region}:{account}:identity/{address}"
    return cast("str", mail_resource(method, path, body, region, account))


vars(evaluator)["enforce"] = asked
vars(actions)["_ses_v2_resource_arn"] = identity_of_sender
if CLIENT:
    vars(lambda_svc)["_execute_function_warm"] = under_the_client
    vars(dynamodb)["_put_item"] = crashing(put, lambda data: {str(data.get("TableName"))})
    transact = crashing(transact, of_transaction)
vars(dynamodb).update(_transact_write_items=measured, _DDB_TXN_MAX_BYTES=REQUEST_BYTES)
vars(lambda_svc)["_execute_function_proxy"] = proxied
vars(server)["_HEALTH_PATHS"] = ("/_ministack/health",)

if __name__ == "__main__":
    server.main()
