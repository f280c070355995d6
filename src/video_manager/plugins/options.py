"""Options of plugins, read through their JSON Schema: which are drawn by the seed, which name uploaded files, and
what is wrong with them. Works alike for our classes and for workers that only sent a schema."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from video_manager.errors import FieldError, InvalidInput
from video_manager.plugins.api import SOURCE_FILE_FORMAT, Options
from video_manager.plugins.schema_limits import check_limits, check_size

Schema = Mapping[str, Any]

_MAX_DEPTH = 32
"""Of nested options; a schema may refer to itself."""


def draw_open_options(schema: Schema, given: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The given options, with every open one filled: from its `x-draw` list by the seed, else by its default.

    Each field draws by itself (`seed:path`), so adding an option never changes what the others draw. A field with
    `x-draw` that was given as null counts as open.
    """
    return _fill(schema, schema, given, seed, "")


def validate_by_class(options_class: type[Options], options: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """The validated options as JSON. Raises InvalidInput that names each wrong field as `options.<path>`."""
    try:
        valid = options_class.model_validate(options)
    except ValidationError as error:
        wrong = [
            FieldError(_dotted(detail["loc"]), _sentence(detail["msg"]))
            for detail in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise _invalid(owner, wrong) from error
    return _plain_json(valid.model_dump(mode="json"), owner)


def validate_by_schema(schema: Schema, options: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """The same for a worker known only by its JSON Schema."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - see check_schema
    from referencing import Registry as References  # noqa: PLC0415

    plain = _plain_json(dict(options), owner)
    validator = Draft202012Validator(schema, registry=References())
    errors = sorted(validator.iter_errors(plain), key=lambda error: [str(part) for part in error.absolute_path])
    if errors:
        raise _invalid(owner, [FieldError(_dotted(error.absolute_path), error.message[:300]) for error in errors])
    return plain


def check_schema(schema: Schema, field: str) -> None:
    """Raises InvalidInput unless this is a JSON Schema of an object within the limits of `schema_limits`."""
    # Imported here because only workers of their own need it, while every plugin process loads this module.
    from jsonschema import Draft202012Validator  # noqa: PLC0415
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415

    check_size(schema, field)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise InvalidInput.field(field, f"no valid JSON Schema (2020-12): {error.message[:300]}") from error
    if schema.get("type") != "object":
        raise InvalidInput.field(field, 'the schema must have "type": "object" at its top')
    check_limits(schema, field)
    _check_defaults(schema, field)


def _check_defaults(schema: Schema, field: str) -> None:
    """A default that its own option refuses would make every request without that option fail."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - see check_schema
    from referencing import Registry as References  # noqa: PLC0415

    whole = Draft202012Validator(schema, registry=References())
    for name, part in schema.get("properties", {}).items():
        values = [("default", part["default"])] if isinstance(part, Mapping) and "default" in part else []
        values += [("x-draw", value) for value in part.get("x-draw", ())] if isinstance(part, Mapping) else []
        for keyword, value in values:
            error = next(whole.evolve(schema=part).iter_errors(value), None)
            if error is not None:
                raise InvalidInput.field(field, f"{keyword} of the option {name!r}: {error.message[:300]}")


def find_source_ids(schema: Schema, options: Mapping[str, Any]) -> list[str]:
    """Ids of the uploaded files that the options name, each once, in the order of the schema."""
    return list(dict.fromkeys(_source_ids(schema, schema, options, 0)))


# ---- filling ----------------------------------------------------------------------------------------------


def _fill(root: Schema, schema: Schema, given: Mapping[str, Any], seed: int, path: str) -> dict[str, Any]:
    filled = dict(given)
    if path.count(".") > _MAX_DEPTH:
        return filled
    for name, property_schema in _properties(root, schema).items():
        here = f"{path}.{name}" if path else name
        choices = property_schema.get("x-draw")
        if choices and filled.get(name) is None:
            filled[name] = random.Random(f"{seed}:{here}").choice(choices)  # noqa: S311 - a repeatable draw
        elif name not in filled and "default" in property_schema:
            filled[name] = property_schema["default"]
        if name in filled:
            filled[name] = _fill_inside(root, property_schema, filled[name], seed, here)
    return filled


def _fill_inside(root: Schema, schema: Schema, value: Any, seed: int, path: str) -> Any:
    """Objects inside options and inside lists have open options too."""
    resolved = _resolve(root, schema)
    if isinstance(value, Mapping):
        variants = [part for part in _variants(root, resolved) if _properties(root, part)]
        return _fill(root, variants[0], value, seed, path) if len(variants) == 1 else value
    items = resolved.get("items")
    if isinstance(value, list) and isinstance(items, Mapping):
        return [_fill_inside(root, items, item, seed, f"{path}.{index}") for index, item in enumerate(value)]
    return value


# ---- walking a schema -------------------------------------------------------------------------------------


def _source_ids(root: Schema, schema: Any, value: Any, depth: int) -> Iterator[str]:
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return
    for variant in _variants(root, schema):
        if isinstance(value, str):
            if variant.get("format") == SOURCE_FILE_FORMAT and value:
                yield value
        elif isinstance(value, Mapping):
            properties = _properties(root, variant)
            for name, property_schema in properties.items():
                yield from _source_ids(root, property_schema, value.get(name), depth + 1)
            for name in value.keys() - properties.keys():
                yield from _source_ids(root, variant.get("additionalProperties"), value[name], depth + 1)
        elif isinstance(value, Sequence):
            first = variant.get("prefixItems", [])
            for index, item in enumerate(value):
                item_schema = first[index] if index < len(first) else variant.get("items")
                yield from _source_ids(root, item_schema, item, depth + 1)


def _variants(root: Schema, schema: Schema, depth: int = 0) -> Iterator[Schema]:
    """The schema itself and every alternative in it, references resolved."""
    resolved = _resolve(root, schema)
    yield resolved
    if depth > _MAX_DEPTH:
        return
    for keyword in ("anyOf", "oneOf", "allOf"):
        for part in resolved.get(keyword, ()):
            if isinstance(part, Mapping):
                yield from _variants(root, part, depth + 1)


def _resolve(root: Schema, schema: Schema) -> Schema:
    """Follow `$ref` inside the document; keywords beside the reference stay."""
    for _ in range(_MAX_DEPTH):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            break
        target: Any = root
        for part in reference.removeprefix("#").strip("/").split("/"):
            if part:
                target = target.get(part.replace("~1", "/").replace("~0", "~"), {})
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _properties(root: Schema, schema: Schema) -> dict[str, Schema]:
    found = _resolve(root, schema).get("properties", {})
    return {name: part for name, part in found.items() if isinstance(part, Mapping)}


# ---- errors -----------------------------------------------------------------------------------------------


def _plain_json(options: dict[str, Any], owner: str) -> dict[str, Any]:
    try:
        json.dumps(options, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput.field("options", f"{owner}: only plain JSON values are allowed ({error})") from error
    return options


def _dotted(path: Sequence[str | int] | Any) -> str:
    return ".".join(["options", *(str(part) for part in path)])


def _sentence(message: str) -> str:
    """Pydantic marks our own ValueErrors with a prefix that says nothing to a person."""
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")


def _invalid(owner: str, errors: list[FieldError]) -> InvalidInput:
    listed = "; ".join(f"{error.field}: {error.reason}" for error in errors[:5])
    more = f" (and {len(errors) - 5} more)" if len(errors) > 5 else ""
    return InvalidInput(f"wrong options for {owner}: {listed}{more}", errors)
