"""The page that shows the API's description: one document, no other host, one allowed script."""

from __future__ import annotations

import base64
import functools
import hashlib

from cartwheel.http._messages import Response

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #777; --accent: #2563eb; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
summary { cursor: pointer; padding: .35rem 0; overflow-wrap: anywhere; }
details.operation { border-bottom: 1px solid var(--line); }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; color: var(--accent); }
.quiet { color: var(--quiet); }
.inside { padding: 0 0 1rem 1rem; }
code, pre, textarea, input { font: 14px/1.45 ui-monospace, monospace; }
pre { border: 1px solid var(--line); padding: .6rem; overflow: auto; max-height: 28rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; }
th { font-weight: 600; border-bottom: 1px solid var(--line); }
label { display: block; margin: .4rem 0; }
input, textarea { width: 100%; box-sizing: border-box; padding: .3rem; }
textarea { min-height: 8rem; }
button { margin: .5rem 0; padding: .3rem 1rem; }
"""

_SCRIPT = """
"use strict";
let api;
const root = location.pathname.replace(/\\/docs\\/?$/, "");

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
function shown(value) { return JSON.stringify(value, null, 2); }
function block(value) { return el("pre", {}, typeof value === "string" ? value : shown(value)); }
function resolve(schema) {
  if (!schema) return {};
  return schema.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema;
}

function example(schema, depth = 0) {
  const stated = resolve(schema);
  if (stated.examples) return stated.examples[0];
  if ("const" in stated) return stated.const;
  if (stated.default !== undefined && stated.default !== null) return stated.default;
  if (stated.enum) return stated.enum[0];
  const choice = (stated.anyOf || stated.oneOf || []).find((part) => part.type !== "null");
  if (choice) return example(choice, depth);
  if (stated.allOf) return Object.assign({}, ...stated.allOf.map((part) => example(part, depth)));
  if (stated.type === "object" || stated.properties) {
    const value = {};
    if (depth < 6) {
      for (const [name, part] of Object.entries(stated.properties || {})) {
        value[name] = example(part, depth + 1);
      }
    }
    return value;
  }
  if (stated.type === "array") return depth < 6 ? [example(stated.items, depth + 1)] : [];
  if (stated.type === "integer") return stated.minimum ?? (stated.exclusiveMinimum ?? 0) + 1;
  if (stated.type === "boolean") return true;
  if (stated.type === "null") return null;
  const texts = {
    "date-time": "2026-01-02T03:04:05Z", date: "2026-01-02", email: "someone@example.com",
    uuid: "00000000-0000-4000-8000-000000000000",
  };
  return texts[stated.format] || "text";
}

function kind(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  const choices = schema.anyOf || schema.oneOf;
  if (choices) return choices.map(kind).join(" or ");
  if (schema.type === "array") return "list of " + kind(schema.items || {});
  if ("const" in schema) return shown(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(", ");
  return (schema.type || "anything") + (schema.format ? " (" + schema.format + ")" : "");
}
const LIMITS = {
  minimum: "at least", maximum: "at most", exclusiveMinimum: "more than",
  exclusiveMaximum: "less than", minLength: "shortest", maxLength: "longest",
  minItems: "fewest", maxItems: "most", pattern: "pattern", default: "default",
};
function limits(schema) {
  return Object.entries(LIMITS)
    .filter(([name]) => schema[name] !== undefined)
    .map(([name, words]) => words + " " + JSON.stringify(schema[name])).join(", ");
}

function table(heads, rows) {
  return el("table", {},
    el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", {}, head)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((cell) => el("td", {}, cell))))));
}
function fields(schema) {
  const stated = resolve(schema);
  if (!stated.properties) return el("p", {}, kind(stated));
  const required = stated.required || [];
  return table(["field", "type", ""], Object.entries(stated.properties).map(([name, part]) => [
    el("code", {}, name, required.includes(name) ? " *" : ""), kind(part),
    [limits(part), part.description].filter(Boolean).join(". "),
  ]));
}
function parameters(operation) {
  const rows = (operation.parameters || []).map((parameter) => [
    el("code", {}, parameter.name, parameter.required ? " *" : ""), parameter.in,
    kind(parameter.schema),
    [limits(parameter.schema), parameter.description].filter(Boolean).join(". "),
  ]);
  return rows.length ? table(["parameter", "in", "type", ""], rows) : null;
}

function freshKey() {
  const numbers = crypto.getRandomValues(new Uint32Array(4));
  return Array.from(numbers, (number) => number.toString(16)).join("");
}
function tryIt(method, path, operation) {
  const inputs = (operation.parameters || []).map((parameter) => {
    const input = el("input", { value: parameter.name === "Idempotency-Key" ? freshKey() : "" });
    return { parameter, input, label: el("label", {}, parameter.name, input) };
  });
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  const body = content ? el("textarea", {}, shown(example(content.schema))) : null;
  const button = el("button", { type: "button" }, "Send");
  const answer = el("div", { "aria-live": "polite" });
  button.addEventListener("click", async () => {
    let url = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const { parameter, input } of inputs) {
      if (parameter.in === "path") {
        url = url.replace("{" + parameter.name + "}", encodeURIComponent(input.value));
      } else if (input.value !== "") {
        if (parameter.in === "header") headers[parameter.name] = input.value;
        else if (parameter.schema.type !== "array") query.append(parameter.name, input.value);
        else input.value.split(",").forEach((part) => query.append(parameter.name, part.trim()));
      }
    }
    const token = document.getElementById("token").value.trim();
    if (token) headers.Authorization = "Bearer " + token;
    if (body) headers["Content-Type"] = "application/json";
    try {
      const response = await fetch(root + url + (String(query) ? "?" + query : ""), {
        method, headers, body: body ? body.value : undefined, credentials: "omit",
      });
      const text = await response.text();
      let told = text;
      try { told = shown(JSON.parse(text)); } catch { /* shown as it came */ }
      const lines = Array.from(response.headers, ([name, value]) => name + ": " + value);
      answer.replaceChildren(
        el("p", {}, String(response.status)), block(lines.join("\\n")), block(told || "(empty)"));
    } catch (error) {
      answer.replaceChildren(block(String(error)));
    }
  });
  return el("details", {}, el("summary", {}, "Try it"),
    ...inputs.map(({ label }) => label), body ? el("label", {}, "Body", body) : null,
    button, answer);
}

function operationNode(method, path, operation) {
  const inside = el("div", { class: "inside" },
    operation.description ? el("p", {}, operation.description) : null,
    el("p", { class: "quiet" }, "Who: " + operation["x-permission"]), parameters(operation));
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  if (content) {
    inside.append(el("h4", {}, "Body"), fields(content.schema), block(example(content.schema)));
  }
  inside.append(el("h4", {}, "Answers"));
  for (const [status, response] of Object.entries(operation.responses)) {
    const json = response.content && response.content["application/json"];
    inside.append(el("details", {},
      el("summary", {}, el("code", {}, status), " " + response.description),
      json ? fields(json.schema) : null, json ? block(example(json.schema)) : null));
  }
  inside.append(tryIt(method, path, operation));
  return el("details", { class: "operation", id: operation.operationId },
    el("summary", {}, el("span", { class: "method" }, method), el("code", {}, path),
      el("span", { class: "quiet" }, " " + operation.summary)), inside);
}

async function main() {
  const page = document.getElementById("api");
  const response = await fetch(root + "/openapi.json", { credentials: "omit" });
  api = await response.json();
  document.title = api.info.title;
  const version = el("span", { class: "quiet" }, api.info.version);
  const token = el("input", { id: "token", autocomplete: "off", spellcheck: "false" });
  page.replaceChildren(el("h1", {}, api.info.title + " ", version),
    el("p", {}, api.info.description), el("label", {}, "Access token", token));
  for (const { name } of api.tags) {
    page.append(el("h2", {}, name));
    for (const [path, item] of Object.entries(api.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        if (operation.tags.includes(name)) {
          page.append(operationNode(method.toUpperCase(), path, operation));
        }
      }
    }
  }
  page.append(el("h2", {}, "Schemas"));
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    page.append(el("details", {}, el("summary", {}, el("code", {}, name)),
      el("div", { class: "inside" }, schema.description || "", fields(schema))));
  }
  const linked = document.getElementById(location.hash.slice(1));
  if (linked) { linked.open = true; linked.scrollIntoView(); }
}
main().catch((error) => {
  document.getElementById("api").replaceChildren("The description could not be loaded: " + error);
});
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API</title>
<style>{style}</style>
</head>
<body>
<main id="api">
<noscript>This page needs its script; the description is at openapi.json.</noscript>
</main>
<script>{script}</script>
</body>
</html>
"""


@functools.cache
def docs_page() -> Response:
    """Give the page that renders /openapi.json; its policy allows its own script and style only."""
    policy = (
        f"default-src 'none'; script-src '{_hash(_SCRIPT)}'; style-src '{_hash(_STYLE)}'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Cache-Control": "no-cache",
    }
    page = _PAGE.replace("{style}", _STYLE).replace("{script}", _SCRIPT)
    return Response(200, headers, page.encode())


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
