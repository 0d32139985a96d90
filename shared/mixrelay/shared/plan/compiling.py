"""From an entry's JSON Schema to a validator of the properties that an application chooses.

What the application does not choose is not held to the plan: what Mixpanel's libraries and workers
stamp, and what Mixpanel adds at ingestion. So a plan that lists ``distinct_id`` or requires
``$city`` works, and one that allows no other properties does not refuse ``$insert_id``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.plan.reading import Entry, PlanError

if TYPE_CHECKING:
    import jsonschema_rs

_STAMPED = frozenset({"token", "distinct_id", "time", "$insert_id", "ip", "mp_lib", "$lib_version"})
"""What a library or a worker writes into each event."""

_DERIVED = frozenset({"$city", "$region", "mp_country_code", "$mp_api_timestamp_ms"})
"""What Mixpanel adds at ingestion (Mixpanel: Default Properties)."""

_RESERVED = r"^(\$|mp_)"
"""Names that are Mixpanel's: a plan that allows no other properties still allows these."""

_CLOSING = ("additionalProperties", "unevaluatedProperties")
_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_DRAFT = "http://json-schema.org/draft-07/schema"
"""What Mixpanel's schemas are (Mixpanel: Lexicon Schemas API, example)."""


def check_installed() -> None:
    """Raise ConfigurationError where the validator is not installed."""
    if find_spec("jsonschema_rs") is None:
        raise ConfigurationError(
            "A tracking plan needs jsonschema-rs, which is not installed: "
            "pip install 'mixrelay[plan]'."
        )


def validator(entry: Entry, plan: str, *, partial: bool = False) -> jsonschema_rs.Validator:
    """Compile an entry's schema; it is not asked for whatever else is on the network.

    Args:
        entry: of the plan.
        plan: what an error calls it.
        partial: some of the properties are checked, so none is required.

    Raises:
        PlanError: the schema is none; the message names event and path.
    """
    import jsonschema_rs  # noqa: PLC0415 - only where there is a plan

    _check_types(entry, plan)
    try:
        return jsonschema_rs.validator_for(
            _held(entry.schema, partial=partial),
            validate_formats=True,
            formats={"date-time": _is_date, "date": _is_date},
            retriever=_refuse,
        )
    except (jsonschema_rs.ValidationError, ValueError, TypeError) as error:
        path = "".join(f".{part}" for part in getattr(error, "instance_path", ()))
        said = getattr(error, "message", None) or str(error)
        raise _wrong(entry, plan, f"schemaJson{path}", said) from None


def _check_types(entry: Entry, plan: str) -> None:
    """Check the types, which the validator's own message would not name."""
    properties = entry.schema.get("properties", {})
    if not isinstance(properties, dict):
        raise _wrong(entry, plan, "schemaJson.properties", "is no object")
    for name, schema in properties.items():
        types = schema.get("type", "string") if isinstance(schema, dict) else "string"
        for one in types if isinstance(types, list) else [types]:
            if one not in _TYPES:
                said = f"{one!r} is no type; one of {', '.join(sorted(_TYPES))}"
                raise _wrong(entry, plan, f"schemaJson.properties.{name}.type", said)


def _held(schema: dict[str, Any], *, partial: bool) -> dict[str, Any]:
    """Return the schema of what an application chooses."""
    held = {"$schema": _DRAFT, **schema}
    stamped: dict[str, Any] = dict.fromkeys(_STAMPED, True)
    held["properties"] = {**held.get("properties", {}), **stamped}
    if any(held.get(name, True) is not True for name in _CLOSING):
        held["patternProperties"] = {_RESERVED: True, **held.get("patternProperties", {})}
    required = held.get("required")
    if isinstance(required, list):
        beyond = _STAMPED | _DERIVED
        held["required"] = [one for one in required if one not in beyond] if not partial else []
    return held


def _is_date(text: str) -> bool:
    """Whether a text is a date as Mixpanel takes it: ISO 8601, with or without a zone."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is not looked up; write it out here")


def _wrong(entry: Entry, plan: str, path: str, said: str) -> PlanError:
    return PlanError(plan, f"{entry.kind} {entry.name!r}: {entry.place}.{path}: {said}.")


Check = Callable[[Any], bool]
