"""Runs Microsoft's Python worker in this process, with an HTTP front end in place of the host.

It runs in an environment of its own, which has no part of these tests. The worker takes messages of
the host's protocol by their attributes; how a request becomes one follows the host's sources
(Azure/azure-functions-host, `ToRpcHttp`) and ASP.NET Core's (`PathString.ToUriComponent`).

    python _worker_child.py <folder of function_app.py and host.json>

It prints its port, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
import types
import uuid
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

KINDS = ("string", "json", "bytes", "http", "int", "double")
MESSAGES = (
    "BindingInfo",
    "FunctionEnvironmentReloadResponse",
    "FunctionLoadResponse",
    "FunctionMetadataResponse",
    "InvocationResponse",
    "NullableBool",
    "NullableDouble",
    "NullableString",
    "NullableTimestamp",
    "ParameterBinding",
    "RpcException",
    "RpcFunctionMetadata",
    "RpcHttp",
    "RpcHttpCookie",
    "RpcRetryOptions",
    "StatusResult",
    "TypedData",
    "WorkerInitResponse",
    "WorkerMetadata",
)
FAILURE, SUCCESS = 0, 1
ESCAPES = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")
PLAIN = "/!$&'()*+,;=:@"
"""What a path holds unescaped, beside letters, digits and `-._~`."""


class Message:
    """Is a message of the protocol: it has the attributes that it was made with."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update({name: each for name, each in fields.items() if each is not None})

    def WhichOneof(self, group: str) -> str | None:
        """Name the field that is set, of a group of which one can be."""
        kinds = ("data", "rpc_shared_memory") if group == "rpc_data" else KINDS
        return next((kind for kind in kinds if kind in self.__dict__), None)


class Worker:
    """Is the worker, with the functions of an app."""

    def __init__(self, folder: Path) -> None:
        sys.path.insert(0, str(folder))
        import azure_functions_runtime  # type: ignore[import-not-found]  # not in our environment

        self._runtime = azure_functions_runtime
        self._protocol = _protocol()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._runtime.start_threadpool_executor()
        init = types.SimpleNamespace(capabilities={}, function_app_directory=str(folder))
        begun = self._call("worker_init_request", worker_init_request=init)
        if begun.result.status != SUCCESS:
            raise SystemExit(f"the worker refuses the app: {begun.result.exception.message}")
        assert begun.capabilities["RawHttpBodyBytes"], "the front end sends bodies as bytes"
        (self.function,) = self._call("functions_metadata_request").function_metadata_results
        load = types.SimpleNamespace(function_id=self.function.function_id)
        loaded = self._call("function_load_request", function_load_request=load)
        assert loaded.result.status == SUCCESS
        bindings = [json.loads(binding) for binding in self.function.raw_bindings]
        (self.trigger,) = (each for each in bindings if each["type"] == "httpTrigger")

    def http(self, fields: Mapping[str, Any], body: bytes) -> Any:
        """Invoke the function; gives its answer, None when it failed."""
        message = self._message("RpcHttp", **fields, body=self._data(body))
        given = self._message(
            "ParameterBinding",
            name=self.trigger["name"],
            data=self._message("TypedData", http=message),
        )
        request = types.SimpleNamespace(
            invocation_id=str(uuid.uuid4()),
            function_id=self.function.function_id,
            input_data=[given],
            trigger_metadata={},
            trace_context=types.SimpleNamespace(trace_parent="", trace_state="", attributes={}),
            retry_context=types.SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
        )
        done = self._call("invocation_request", invocation_request=request)
        if done.result.status != SUCCESS:
            print(done.result.exception.message, file=sys.stderr)
            return None
        return done.return_value.http

    def _data(self, body: bytes) -> Message:
        return self._message("TypedData", **({"bytes": body} if body else {}))

    def _message(self, kind: str, /, **fields: Any) -> Message:
        made: Message = getattr(self._protocol, kind)(**fields)
        return made

    def _call(self, name: str, /, **fields: Any) -> Any:
        asked = types.SimpleNamespace(
            request=types.SimpleNamespace(**fields),
            properties={"host": "127.0.0.1", "protos": self._protocol},
        )
        coroutine = getattr(self._runtime, name)(asked)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


def _protocol() -> types.SimpleNamespace:
    protocol = types.SimpleNamespace(**{name: type(name, (Message,), {}) for name in MESSAGES})
    protocol.StatusResult.Failure, protocol.StatusResult.Success = FAILURE, SUCCESS
    for number, name in enumerate(("in", "out", "inout", "undefined")):
        setattr(protocol.BindingInfo, name, number)
    return protocol


def host_path(target: bytes) -> str:
    """Decode a path as the host's server does: all but slashes and what is no UTF-8."""

    def decoded(match: re.Match[bytes]) -> bytes:
        parts = re.split(rb"(%2[Ff])", match[0])
        return b"".join(_unescaped(part) for part in parts)

    return ESCAPES.sub(decoded, target).decode()


def _unescaped(part: bytes) -> bytes:
    if part.upper() == b"%2F":
        return part
    plain = bytes.fromhex(part.replace(b"%", b"").decode())
    try:
        plain.decode()
    except UnicodeDecodeError:
        return part
    return plain


def host_url(path: str) -> str:
    """Encode a path as the host does, which leaves alone what looks like an escape."""
    parts = re.split(r"(%[0-9A-Fa-f]{2})", path)
    return "".join(
        part if number % 2 else quote(part, safe=PLAIN) for number, part in enumerate(parts)
    )


def joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join the values of a name by commas, as the host does."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in found.items()}


class FrontEnd(BaseHTTPRequestHandler):
    """Stands where the host stands between a client and the worker."""

    protocol_version = "HTTP/1.1"
    worker: Worker
    prefix: str

    def serve(self) -> None:
        """Answer a request."""
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        raw, _, query = self.path.partition("?")
        try:
            path = host_path(raw.encode("ascii"))
        except UnicodeError:
            return self.reply(400, {}, b"")
        begin = f"/{self.prefix}/" if self.prefix else "/"
        methods = [method.upper() for method in self.worker.trigger["methods"]]
        assert self.worker.trigger["route"] == "{*path}"
        if "\0" in path or not path.startswith(begin) or self.command not in methods:
            return self.reply(404, {}, b"")
        rest = path.removeprefix(begin)
        answer = self.worker.http(
            {
                "method": self.command,
                "url": f"http://{self.headers['host']}{host_url(path)}?{query}".rstrip("?"),
                "headers": joined((name.lower(), value) for name, value in self.headers.items()),
                "params": {"path": rest} if rest else {},
                "query": joined(parse_qsl(query)),
            },
            body,
        )
        if answer is None:
            return self.reply(500, {}, b"")
        return self.reply(int(answer.status_code), answer.headers, answer.body.bytes)

    do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send an answer."""
        self.send_response_only(status)
        length = str(len(body))
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
            elif self.command == "HEAD":
                length = value
        if status not in {204, 304}:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the tests look at the answers."""


def main() -> None:
    """Serve until standard input ends."""
    folder = Path(sys.argv[1])
    FrontEnd.worker = Worker(folder)
    host = json.loads((folder / "host.json").read_text(encoding="utf-8"))
    FrontEnd.prefix = host["extensions"]["http"]["routePrefix"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), FrontEnd)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
