"""Google's APIs as their discovery documents describe them: which method a request means, and whether its parameters,
its scopes, its body and the fake's answer are right. The documents are those inside google-api-python-client."""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jsonschema
from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse, Response

_RFC3339 = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"
_PATTERNS = {"date-time": _RFC3339, "uint64": r"^\d+$", "int64": r"^-?\d+$"}
_RANGES = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1)}
_BOOLEANS = ("true", "false")
_NO_PARTS = ("kind", "etag")


class Wrong(Exception):
    """What Google answers instead."""

    def __init__(self, status: int, reason: str, message: str, domain: str = "youtube.common") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.domain = domain

    def answer(self) -> Response:
        one = {"message": self.message, "domain": self.domain, "reason": self.reason}
        return JSONResponse(
            {"error": {"code": self.status, "message": self.message, "errors": [one]}}, self.status
        )  # fmt: skip


@dataclass(frozen=True)
class Method:
    """`by_media`: it was addressed under an /upload/ path."""

    id: str
    spec: Mapping[str, Any]
    by_media: bool

    @property
    def scopes(self) -> tuple[str, ...]:
        return tuple(self.spec.get("scopes", ()))

    @property
    def media_types(self) -> tuple[str, ...]:
        return tuple(self.spec["mediaUpload"]["accept"])

    @property
    def most_media_bytes(self) -> int:
        return int(self.spec["mediaUpload"]["maxSize"])

    def takes(self, content_type: str) -> bool:
        """Whether the media may be of this type."""
        kind = content_type.partition(";")[0].strip().lower()
        major = kind.partition("/")[0]
        return "/" in kind and any(one in (kind, f"{major}/*", "*/*") for one in self.media_types)


@dataclass(frozen=True)
class Noted:
    """What only the words of a parameter's description say: `required: true, pattern: [A-Z]{3}, minValue: 1`."""

    is_required: bool
    pattern: str | None
    minimum: int | None


class Discovery:
    """One API. `document` names its file, as "youtube.v3"."""

    def __init__(self, document: str) -> None:
        self._document = _document(document)
        self._methods: dict[tuple[str, str], Method] = {}
        for spec in _methods(self._document["resources"]):
            self._methods[spec["httpMethod"], f"/{spec['path']}"] = Method(spec["id"], spec, by_media=False)
            protocols = spec.get("mediaUpload", {}).get("protocols", {})
            for protocol in protocols.values():
                self._methods[spec["httpMethod"], protocol["path"]] = Method(spec["id"], spec, by_media=True)

    def method(self, verb: str, path: str) -> Method:
        """Raises Wrong when the API has no such method there."""
        found = self._methods.get((verb, path))
        if found is None:
            raise Wrong(404, "notFound", f"The requested URL {path} was not found for {verb}.", "global")
        return found

    # ---- parameters --------------------------------------------------------------------------------------------

    def parameters(self, method: Method, query: QueryParams) -> dict[str, list[str]]:
        """The query by name; the values of repeated parameters may be given together, with commas. Raises Wrong."""
        known = {**self._document["parameters"], **method.spec.get("parameters", {})}
        given: dict[str, list[str]] = {}
        for name, value in query.multi_items():
            if name not in known:
                raise Wrong(
                    400, "unexpectedParameter",
                    f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.',
                )  # fmt: skip
            given.setdefault(name, []).extend(value.split(",") if known[name].get("repeated") else [value])
        for name, spec in known.items():
            if spec.get("required") and not any(given.get(name, [])):
                raise Wrong(400, "missingRequiredParameter", f"Required parameter: {name}")
            if not spec.get("repeated") and len(given.get(name, [])) > 1:
                raise Wrong(400, "invalidParameter", f"{name} was given more than once")
            for value in given.get(name, []):
                _check_value(name, value, spec)
        self._check_parts(method, given.get("part", []))
        return given

    def noted(self, method: Method) -> dict[str, Noted]:
        """Of the method's own parameters, by name. `parameters` does not check them: how an API words what it refuses
        is its own."""
        return {name: _noted(spec.get("description", "")) for name, spec in method.spec.get("parameters", {}).items()}

    def _check_parts(self, method: Method, parts: list[str]) -> None:
        resource = self._schema_of(method, "response")
        if "items" in resource.get("properties", {}):
            resource = self._document["schemas"][resource["properties"]["items"]["items"]["$ref"]]
        for part in parts:
            if part not in resource.get("properties", {}) or part in _NO_PARTS:
                raise Wrong(400, "unknownPart", f"'{part}'", "youtube.part")

    # ---- bodies ------------------------------------------------------------------------------------------------

    def body(self, method: Method, content: bytes, parts: list[str]) -> dict[str, Any]:
        """A request's JSON. Raises Wrong when it is none, or not as the schema says, or has a part that `parts` does
        not name."""
        try:
            given = json.loads(content)
        except ValueError as error:
            raise Wrong(400, "parseError", f"Parse Error: {error}", "global") from error
        fault = _fault(self._validator(method.spec["request"]["$ref"], method.id), given)
        if fault is not None:
            raise Wrong(400, "badRequest", fault)
        unnamed = [part for part in given if part not in (*parts, "id", *_NO_PARTS)]
        if unnamed:
            raise Wrong(400, "unexpectedPart", f"{', '.join(unnamed)} is not named in the part parameter")
        result: dict[str, Any] = given
        return result

    def answer(self, method: Method, content: dict[str, Any]) -> Response:
        """An answer of the fake, which has to be as the document says, too."""
        fault = _fault(self._validator(method.spec["response"]["$ref"], None), content)
        if fault is not None:
            raise AssertionError(f"the fake's answer to {method.id} is wrong: {fault}")
        return JSONResponse(content)

    def _schema_of(self, method: Method, which: str) -> dict[str, Any]:
        schema: dict[str, Any] = self._document["schemas"].get(method.spec.get(which, {}).get("$ref"), {})
        return schema

    @functools.lru_cache(maxsize=64)  # noqa: B019 - as many as the API has methods, and it lives as long as they do
    def _validator(self, name: str, method_id: str | None) -> jsonschema.Draft202012Validator:
        definitions = {key: _as_json_schema(one, method_id) for key, one in self._document["schemas"].items()}
        return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions})


@functools.cache
def _document(name: str) -> dict[str, Any]:
    source = files("googleapiclient").joinpath("discovery_cache", "documents", f"{name}.json")
    document: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return document


def _methods(resources: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for resource in resources.values():
        yield from resource.get("methods", {}).values()
        yield from _methods(resource.get("resources", {}))


def _noted(description: str) -> Noted:
    pattern = re.search(r'pattern: "?(\S+)$', description)
    minimum = re.search(r"minValue: (-?\d+)", description)
    return Noted("required: true" in description, pattern[1] if pattern else None, int(minimum[1]) if minimum else None)


def _check_value(name: str, value: str, spec: Mapping[str, Any]) -> None:
    fault = None
    if spec["type"] == "boolean" and value not in _BOOLEANS:
        fault = "is no boolean"
    elif spec["type"] == "integer":
        fault = _number_fault(value, spec)
    elif "enum" in spec and value not in spec["enum"]:
        fault = f"is none of {', '.join(spec['enum'])}"
    if fault:
        raise Wrong(400, "invalidParameter", f"Invalid value for parameter {name}: {value!r} {fault}")


def _number_fault(value: str, spec: Mapping[str, Any]) -> str | None:
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        return "is no number"
    least, most = _RANGES.get(spec.get("format", ""), (int(value), int(value)))
    least, most = int(spec.get("minimum", least)), int(spec.get("maximum", most))
    return None if least <= int(value) <= most else f"is not between {least} and {most}"


def _as_json_schema(spec: Mapping[str, Any], method_id: str | None) -> dict[str, Any]:
    """A schema of a discovery document. What it requires depends on the method, and stands in annotations."""
    if "$ref" in spec:
        return {"$ref": f"#/$defs/{spec['$ref']}"}
    schema: dict[str, Any] = {} if spec.get("type") == "any" else {"type": spec["type"]}
    if "enum" in spec:
        schema["enum"] = spec["enum"]
    if spec.get("type") == "string" and spec.get("format") in _PATTERNS:
        schema["pattern"] = _PATTERNS[spec["format"]]
    if "items" in spec:
        schema["items"] = _as_json_schema(spec["items"], method_id)
    if "properties" in spec:
        properties = spec["properties"]
        schema["properties"] = {name: _as_json_schema(one, method_id) for name, one in properties.items()}
        schema["required"] = [
            name for name, one in properties.items() if method_id in one.get("annotations", {}).get("required", ())
        ]
        schema["additionalProperties"] = False
    if "additionalProperties" in spec:
        schema["additionalProperties"] = _as_json_schema(spec["additionalProperties"], method_id)
    return schema


def _fault(validator: jsonschema.Draft202012Validator, given: Any) -> str | None:
    error = next(iter(validator.iter_errors(given)), None)
    return None if error is None else f"Invalid value at '{'.'.join(map(str, error.absolute_path))}': {error.message}"
