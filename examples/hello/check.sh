#!/usr/bin/env bash
# Does with this application what its README says, on a server of its own, and ends it again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

PYTHON="${PYTHON:-../../.venv/bin/python}"
scratch="$(mktemp -d)"
server=""
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$scratch"
}
trap cleanup EXIT

shopctl() { "$PYTHON" -m shopctl "$@"; }

# `expect TEXT FILE` fails loudly when the text is not there.
expect() {
  grep -qF -- "$1" "$2" || { echo "expected '$1' in:" >&2; cat "$2" >&2; exit 1; }
}

# One request; the answer's body is printed. Python, because a bare machine has no curl.
ask() {
  "$PYTHON" - "$@" <<'PY'
import sys
import urllib.request

method, url, *rest = sys.argv[1:]
headers = {"Content-Type": "application/json", "Idempotency-Key": "check"} if rest else {}
body = rest[0].encode() if rest else None
request = urllib.request.Request(url, body, headers, method=method)
with urllib.request.urlopen(request, timeout=30) as answer:
    print(answer.read().decode())
PY
}

echo "-- its tests"
"$PYTHON" -m pytest -q -p no:cacheprovider

echo "-- what it declares"
shopctl routes >"$scratch/routes"
expect "/greetings/{name}" "$scratch/routes"
shopctl openapi >"$scratch/openapi"
expect '"operationId": "hello.greet"' "$scratch/openapi"
shopctl workflow list >"$scratch/workflows"
expect "welcome" "$scratch/workflows"

echo "-- a run in memory"
shopctl workflow run welcome --input '{"name": "ada"}' --signal answered='{"text": "hi"}' \
  >"$scratch/run"
expect '{"greeting": "hello ada", "answer": "hi"}' "$scratch/run"

echo "-- a server, asked over HTTP"
"$PYTHON" -m shopctl dev --port 0 --json --data "$scratch/data" \
  >"$scratch/ready" 2>"$scratch/log" &
server=$!
for _ in $(seq 300); do
  [ -s "$scratch/ready" ] && break
  kill -0 "$server" 2>/dev/null || { cat "$scratch/log" >&2; exit 1; }
  sleep 0.1
done
url="$("$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["url"])' "$scratch/ready")"
ask GET "$url/greetings/ada" | tee "$scratch/greeting"
expect '{"text":"hello ada"}' "$scratch/greeting"
ask POST "$url/welcomes" '{"name": "ada"}' | tee "$scratch/started"
run="$("$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["run_id"])' "$scratch/started")"

echo "-- a signal from beside the server"
shopctl runs signal "$run" answered --payload '{"text": "hi"}' --data "$scratch/data"
for _ in $(seq 100); do
  shopctl runs show "$run" --data "$scratch/data" >"$scratch/shown"
  grep -q "^succeeded" "$scratch/shown" && break
  sleep 0.1
done
expect "succeeded" "$scratch/shown"

echo "-- the end"
kill -TERM "$server"
code=0
wait "$server" || code=$?
server=""
[ "$code" -eq 0 ] || { echo "the server ended with $code" >&2; cat "$scratch/log" >&2; exit 1; }
expect "ended cleanly" "$scratch/log"
echo "hello: all is well"
