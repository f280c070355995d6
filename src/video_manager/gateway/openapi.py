"""The OpenAPI document, with what FastAPI cannot know: every error is a problem document."""

from typing import Any

from fastapi import FastAPI

from video_manager.gateway.problems import PROBLEM_JSON, Problem

_PROBLEM = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def describe_problems(app: FastAPI) -> None:
    """Replace FastAPI's description of validation errors by ours, and give every operation the other errors."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(plain())
        return app.openapi_schema

    # FastAPI's documented way to change the document.
    app.openapi = described  # type: ignore[method-assign]


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {}) | {"Problem": problem}
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key: `vm_PREFIX_SECRET`."}
    }
    document["security"] = [{"key": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if not path.startswith("/api/"):
                # Open to everybody; the metrics to this machine without a key.
                operation["security"] = [{}, {"key": []}] if path == "/metrics" else []
            responses = operation["responses"]
            for status in [status for status in responses if status.startswith("4") and status != "422"]:
                responses[status].setdefault("content", _PROBLEM)
            if "422" in responses:
                responses["422"] = {"description": "Something in the request is wrong.", "content": _PROBLEM}
            responses.setdefault("default", {"description": "Any error.", "content": _PROBLEM})
    return document
