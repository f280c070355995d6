"""The API's documentation as one page, made here from the OpenAPI document. The usual viewers load a megabyte of
script from another machine; this one needs no script and works offline."""

from collections.abc import Iterator, Mapping
from html import escape
from itertools import groupby
from string import Template
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse, Response

from video_manager.web import CurrentActor

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>API · $title</title><style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
h2 { margin-top: 2.5rem; text-transform: capitalize; }
details { border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-radius: .5rem; margin: .5rem 0; }
summary { padding: .6rem .9rem; cursor: pointer; overflow-wrap: anywhere; }
details > div { padding: 0 .9rem .9rem; }
code, pre { font: .9em/1.5 ui-monospace, monospace; }
pre { overflow: auto; padding: .75rem; border-radius: .5rem; }
pre { background: color-mix(in srgb, currentColor 7%, transparent); }
b { display: inline-block; min-width: 4.5rem; font: 700 .8rem ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; } td { padding: .25rem .75rem .25rem 0; vertical-align: top; }
</style></head><body><h1>$title $version</h1>
<p>Everything is below <code>/api/v1</code>; the machine-readable document is
<a href="/api/openapi.json">/api/openapi.json</a>; the messages for workers elsewhere are described by
<a href="/api/asyncapi.json">/api/asyncapi.json</a>. Programs sign in with
<code>Authorization: Bearer KEY</code>. Every error is a problem document (RFC 9457).</p>
$body</body></html>""")


def docs_routes(app: FastAPI) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/api/docs")
    async def docs(_actor: CurrentActor) -> Response:
        return HTMLResponse(render_docs(app.openapi()), headers={"Content-Security-Policy": _POLICY})

    return router


def render_docs(document: Mapping[str, Any]) -> str:
    operations = sorted(_operations(document), key=lambda item: item[0])
    parts: list[str] = []
    for tag, group in groupby(operations, key=lambda item: item[0]):
        parts.append(f"<h2>{escape(tag)}</h2>")
        parts += [_operation(document, method, path, operation) for _, method, path, operation in group]
    info = document["info"]
    return _PAGE.substitute(title=escape(info["title"]), version=escape(info["version"]), body="\n".join(parts))


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield (operation.get("tags") or ["other"])[0], method.upper(), path, operation


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    words = escape(operation.get("description") or operation.get("summary", ""))
    rows = "".join(
        f"<tr><td><code>{escape(item['name'])}</code></td><td>{item['in']}</td>"
        f"<td>{'required' if item.get('required') else ''}</td><td>{escape(item.get('description', ''))}</td></tr>"
        for item in operation.get("parameters", ())
    )
    body = _shape(document, operation.get("requestBody", {}))
    answers = "".join(
        f"<p><code>{escape(status)}</code> {escape(answer.get('description', ''))}</p>{_shape(document, answer)}"
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    )
    return (
        f"<details><summary><b>{method}</b> <code>{escape(path)}</code></summary><div><p>{words}</p>"
        f"{f'<table>{rows}</table>' if rows else ''}{f'<p>Send</p>{body}' if body else ''}{answers}</div></details>"
    )


def _shape(document: Mapping[str, Any], holder: Mapping[str, Any]) -> str:
    """The fields of a body, one a line; nothing for bodies that are not JSON."""
    schema = holder.get("content", {}).get("application/json", {}).get("schema")
    return f"<pre>{escape(_described(document, schema, 0, ()))}</pre>" if schema else ""


def _described(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int, seen: tuple[str, ...]) -> str:
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    if name:
        known = document["components"]["schemas"].get(name, {})
        # A shape that holds itself, or lies deep, is only named.
        return name if name in seen or depth > 3 else _described(document, known, depth, (*seen, name))
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_described(document, option, depth, seen) for option in options))
    if "properties" in schema:
        indent = "  " * (depth + 1)
        required = set(schema.get("required", ()))
        fields = "".join(
            f"{indent}{field}{'' if field in required else '?'}: {_described(document, inner, depth + 1, seen)}\n"
            for field, inner in schema["properties"].items()
        )
        return "{\n" + fields + "  " * depth + "}"
    if schema.get("type") == "array":
        return "[" + _described(document, schema.get("items", {}), depth, seen) + "]"
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    return str(schema.get("format") or schema.get("const") or schema.get("type") or "anything")
