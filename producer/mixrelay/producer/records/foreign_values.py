"""What stands for the values of other libraries; none of them is imported here.

=================================  ============================================================
Django's ``gettext_lazy``,         what it stands for, now; one that stands for nothing (a
``SimpleLazyObject``, Werkzeug's   ``LocalProxy`` outside a request) is refused
``LocalProxy``, wrapt's proxies
Django's model instance            its primary key; one that has none yet is refused
numpy's scalars and arrays         a number, a bool, a text, a time; a list
pandas' ``Series``, ``Index``      a list (``NaT`` and ``NA`` are refused, as NaN is)
pydantic's models                  an object: ``model_dump()``, so that excluded fields stay out
attrs' classes                     an object of all attributes
``Money`` (py-moneyed and alike)   ``{"amount": 9.99, "currency": "EUR"}``
``ipaddress``'s addresses          its text
=================================  ============================================================
"""

from __future__ import annotations

import sys
from typing import Any, Final

from mixrelay.producer.bounds import check_count
from mixrelay.producer.records.snapshots import steadily
from mixrelay.producer.records.unwritable import NotJSONError

UNKNOWN: Final = object()
"""Stands for no value at all, since None is one."""


def stood_for(value: Any) -> object:
    """Return the object that a proxy stands for, or UNKNOWN where the value is no proxy.

    Raises:
        NotJSONError: it stands for nothing at this moment.
    """
    kind = type(value)
    if hasattr(kind, "_get_current_object"):  # Werkzeug
        return _current(value)
    if _is_a(kind, "django.utils.functional", "Promise"):
        return _cast(value)
    if value.__class__ is kind:
        return UNKNOWN
    if _is_a(kind, "django.utils.functional", "LazyObject"):
        # Asking for the class has made the object.
        return object.__getattribute__(value, "_wrapped")
    if hasattr(kind, "__wrapped__"):  # wrapt, lazy-object-proxy
        return value.__wrapped__
    return UNKNOWN


def foreign(value: Any) -> object:
    """Return what stands for another library's value, or UNKNOWN.

    Raises:
        NotJSONError: the library is known, and nothing stands for this value of it.
    """
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    if package in {"numpy", "pandas"}:
        return _of_numpy(value)
    if package == "ipaddress":
        return str(value)
    if hasattr(kind, "__attrs_attrs__"):
        return {field.name: getattr(value, field.name) for field in kind.__attrs_attrs__}
    if hasattr(kind, "__pydantic_validator__") and hasattr(kind, "model_dump"):
        return steadily(kind.model_dump, value)
    if _is_a(kind, "django.db.models", "Model"):
        return _primary_key(value)
    if any(base.__name__ == "Money" for base in kind.__mro__) and hasattr(value, "currency"):
        return {"amount": value.amount, "currency": _currency(value.currency)}
    return UNKNOWN


def _current(value: Any) -> object:
    try:
        return value._get_current_object()  # noqa: SLF001 - Werkzeug's documented way
    except RuntimeError as error:
        why = str(error).strip().partition("\n")[0].rstrip(".")
        raise NotJSONError(f"a {type(value).__name__} stands for nothing here: {why}") from error


def _cast(value: Any) -> object:
    # Django's own way to the value, whatever its type, has a private name; the text has none.
    cast = getattr(value, "_proxy____cast", None)
    return str(value) if cast is None else cast()


def _of_numpy(value: Any) -> object:
    dtype = getattr(value, "dtype", None)
    kind = getattr(dtype, "kind", None)
    if hasattr(value, "tolist") and getattr(value, "ndim", None):
        check_count(getattr(value, "size", 0))
        # Times one by one: in a list of numpy's making NaT would be None, and nanoseconds an int.
        return value.tolist() if kind in _PLAIN_KINDS else list(value)
    if kind is not None and hasattr(value, "astype"):
        return _scalar(value, kind)
    if type(value).__name__ in {"NAType", "NaTType"}:
        raise NotJSONError(f"{value} is not JSON; send None or leave it out")
    return UNKNOWN


def _scalar(value: Any, kind: str) -> object:
    if kind in "mM":
        unit = "datetime64[us]" if kind == "M" else "timedelta64[us]"
        found = value.astype(unit).item()
        if found is None:
            raise NotJSONError("NaT is not JSON; send None or leave it out")
        if isinstance(found, int):
            raise NotJSONError("is outside the years 1 to 9999")
        return found
    if kind in _PYTHON:
        return _PYTHON[kind](value)
    return UNKNOWN


_PLAIN_KINDS = frozenset("biuU")
_PYTHON: dict[str, Any] = {"b": bool, "i": int, "u": int, "f": float, "U": str}


def _primary_key(value: Any) -> object:
    if value.pk is None:
        name = type(value).__name__
        raise NotJSONError(f"this {name} has no primary key yet; save it first, or send a field")
    return value.pk


def _currency(currency: Any) -> str:
    return str(getattr(currency, "code", currency))


def _is_a(kind: type, module: str, name: str) -> bool:
    """Whether a type inherits from a class of a library; not if that was never imported."""
    found = getattr(sys.modules.get(module), name, None)
    return isinstance(found, type) and issubclass(kind, found)
