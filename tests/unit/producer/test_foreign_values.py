"""Values of the libraries that a Python developer has; numpy, Django, … are the real ones.

pandas is too large to install for its scalars alone: stand-ins have what is asked of them, in a
module of its name.
"""

import base64
import ipaddress
import json
import types
from collections import ChainMap, UserDict, UserList, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePosixPath
from unittest.mock import Mock
from urllib.parse import parse_qs, urlsplit

import attrs
import lazy_object_proxy
import multidict
import numpy as np
import pydantic
import pytest
import starlette.datastructures
import werkzeug.datastructures
import wrapt
from django.db import models
from django.http import QueryDict
from django.utils.functional import SimpleLazyObject, lazy
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy
from markupsafe import Markup
from werkzeug.local import LocalProxy

from mixrelay.producer import InvalidPropertyError, Tracker
from tests.support import django_project  # noqa: F401 - settings, before any of Django's is used


class Customer(models.Model):  # noqa: DJ008
    email = models.EmailField(primary_key=True)

    class Meta:
        app_label = "tests"


class Payment(models.Model):  # noqa: DJ008
    amount = models.IntegerField()
    currency = models.TextField()

    class Meta:
        app_label = "tests"


@attrs.define
class Line:
    sku: str
    price: Decimal


@attrs.frozen(slots=False)
class Lines:
    all: list


class Address(pydantic.BaseModel):
    city: str
    since: datetime
    secret: str = pydantic.Field(default="hidden", exclude=True)


class Order(pydantic.BaseModel):
    id: int
    to: Address
    tags: set[str] = set()


class Tags(pydantic.RootModel[list[str]]):
    pass


@pydantic.dataclasses.dataclass
class Size:
    width: int


class Currency:
    def __init__(self, code):
        self.code = code

    def __str__(self):
        return self.code


class Money:
    """As py-moneyed's, which brings 30 MB of locales."""

    def __init__(self, amount, currency):
        self.amount, self.currency = Decimal(amount), Currency(currency)


class StoredMoney(Money):
    """As django-money's."""


class Timestamp(datetime):
    """As pandas', a datetime."""


class NaTType(datetime):
    """As pandas': a datetime too, equal to nothing."""

    def __eq__(self, other):
        return False

    def __ne__(self, other):
        return True

    __hash__ = None

    def __str__(self):
        return "NaT"


class NAType:
    def __repr__(self):
        return "<NA>"


class Series:
    """As pandas': has a type of its members, and iterates over Python's and pandas' own."""

    ndim = 1

    def __init__(self, members, kind):
        self.members, self.dtype = members, types.SimpleNamespace(kind=kind)

    def tolist(self):
        return list(self.members)

    def __iter__(self):
        return iter(self.members)


for stand_in in (Timestamp, NaTType, NAType, Series):
    stand_in.__module__ = "pandas.stand_in"

UTC_TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EAST = datetime.fromisoformat("2026-01-02T03:04:05+02:00")


def write(value, **options):
    """Return how a value arrives; also deep inside, and beside what needs the exact walk."""
    messages = []
    tracker = Tracker("token", lambda _, message: messages.append(message), **options)
    tracker.track("1", "Event", {"p": value, "deep": [{"p": [value]}]})
    tracker.track("1", "Event", {"p": value, "big": 2**70})
    first, second = (json.loads(message)["data"]["properties"] for message in messages)
    assert json.dumps(first["p"]) == json.dumps(second["p"])
    assert json.dumps(first["deep"]) == json.dumps([{"p": [first["p"]]}])
    return first["p"]


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (np.int64(3), 3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.int8(-3), -3),
        (np.float64(1.5), 1.5),
        (np.float32(1.5), 1.5),
        (np.float16(1.5), 1.5),
        (np.longdouble(1.5), 1.5),
        (np.bool_(True), True),
        (np.str_("text"), "text"),
        (np.datetime64("2026-01-02T03:04:05.123456789"), "2026-01-02T03:04:05"),
        (np.datetime64("2026-01-02"), "2026-01-02T00:00:00"),
        (np.timedelta64(90, "m"), 5400),
        (np.timedelta64(1_500_000_000, "ns"), 1.5),
        (np.array([1, 2]), [1, 2]),
        (np.array([[1.5], [2.5]]), [[1.5], [2.5]]),
        (np.array([True, False]), [True, False]),
        (np.array(["a"]), ["a"]),
        (np.array([Decimal("1.5"), None]), [1.5, None]),
        (np.array(["2026-01-02T03:04:05"], "datetime64[ns]"), ["2026-01-02T03:04:05"]),
        (np.array(7), 7),
        (np.array([]), []),
        (Timestamp(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
        (Series([1, 2], "i"), [1, 2]),
        (Series([Timestamp(2026, 1, 2, 3, 4, 5)], "M"), ["2026-01-02T03:04:05"]),
        (gettext_lazy("Premium"), "Premium"),
        (lazy(lambda: 7, int)(), 7),
        (lazy(lambda: [UTC_TIME], list)(), ["2026-01-02T03:04:05"]),
        (mark_safe("<b>"), "<b>"),
        (Markup("<b>"), "<b>"),
        (SimpleLazyObject(lambda: "text"), "text"),
        (SimpleLazyObject(lambda: 7), 7),
        (SimpleLazyObject(lambda: 1.5), 1.5),
        (SimpleLazyObject(lambda: None), None),
        (SimpleLazyObject(lambda: True), True),
        (SimpleLazyObject(lambda: {"a": UTC_TIME}), {"a": "2026-01-02T03:04:05"}),
        (SimpleLazyObject(lambda: SimpleLazyObject(lambda: "text")), "text"),
        (SimpleLazyObject(lambda: Customer(email="ann@example.com")), "ann@example.com"),
        (LocalProxy(lambda: "text"), "text"),
        (LocalProxy(lambda: 7), 7),
        (LocalProxy(lambda: [7]), [7]),
        (LocalProxy(lambda: UTC_TIME), "2026-01-02T03:04:05"),
        (wrapt.ObjectProxy("text"), "text"),
        (wrapt.ObjectProxy(7), 7),
        (wrapt.ObjectProxy({"a": [7]}), {"a": [7]}),
        (lazy_object_proxy.Proxy(lambda: "text"), "text"),
        (Order(id=1, to=Address(city="Cork", since=UTC_TIME), tags={"a"}),
         {"id": 1, "to": {"city": "Cork", "since": "2026-01-02T03:04:05"}, "tags": ["a"]}),
        (Tags(["a", "b"]), ["a", "b"]),
        (Size(3), {"width": 3}),
        (Line("A", Decimal("9.99")), {"sku": "A", "price": 9.99}),
        (Lines([Line("A", Decimal(1))]), {"all": [{"sku": "A", "price": 1}]}),
        (Customer(email="ann@example.com"), "ann@example.com"),
        (Payment(id=17, amount=3, currency="EUR"), 17),
        (Money("9.99", "EUR"), {"amount": 9.99, "currency": "EUR"}),
        (StoredMoney("5.00", "USD"), {"amount": 5, "currency": "USD"}),
        (QueryDict("a=1&a=2&b=3"), {"a": ["1", "2"], "b": ["3"]}),
        (QueryDict("b=3"), {"b": ["3"]}),
        (werkzeug.datastructures.MultiDict([("a", 1), ("a", 2), ("b", 3)]),
         {"a": [1, 2], "b": [3]}),
        (werkzeug.datastructures.ImmutableMultiDict([("b", 3)]), {"b": [3]}),
        (starlette.datastructures.QueryParams("a=1&a=2&b=3"), {"a": ["1", "2"], "b": ["3"]}),
        (starlette.datastructures.FormData([("b", "3")]), {"b": ["3"]}),
        (multidict.MultiDict([("a", 1), ("a", 2), ("b", 3)]), {"a": [1, 2], "b": [3]}),
        (LocalProxy(lambda: QueryDict("b=3")), {"b": ["3"]}),
        (timedelta(hours=1), 3600),
        (timedelta(milliseconds=-1500), -1.5),
        (Path("/var/log"), "/var/log"),
        (PurePosixPath("a/b"), "a/b"),
        (ipaddress.ip_address("203.0.113.7"), "203.0.113.7"),
        (ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8"),
        (deque([1, UTC_TIME]), [1, "2026-01-02T03:04:05"]),
        (range(3), [0, 1, 2]),
        (UserList([1]), [1]),
        (UserDict(a=1), {"a": 1}),
        (ChainMap({"a": 1}, {"b": 2}), {"a": 1, "b": 2}),
        ({"a": 1}.values(), [1]),
        ({gettext_lazy("Plan"): 1}, {"Plan": 1}),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_becomes_json(value, arrives):
    assert json.dumps(write(value), sort_keys=True) == json.dumps(arrives, sort_keys=True)


class Widget:
    pass


@dataclass
class Unfinished:
    name: str


def unfinished():
    return object.__new__(Unfinished)


def unbound():
    raise RuntimeError("Working outside of request context.\n\nMore text.")


def fails():
    raise OSError("the database is away")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (Widget(), "a Widget cannot be written as JSON; convert it, or give Tracker(default=…)"),
        (object(), "an object cannot be written as JSON; convert it"),
        (Widget, "a type cannot be written as JSON"),
        (Mock(spec=str), "a Mock cannot be written as JSON"),
        (3 + 4j, "a complex cannot be written as JSON"),
        (np.complex64(1), "a complex64 cannot be written as JSON"),
        (np.float64("nan"), "NaN is not JSON; send None or leave it out"),
        (np.float32("inf"), "Infinity is not JSON"),
        (np.datetime64("NaT", "s"), "NaT is not JSON; send None or leave it out"),
        (np.timedelta64("NaT", "s"), "NaT is not JSON; send None or leave it out"),
        (np.datetime64("20000-01-01"), "outside the years 1 to 9999"),
        (np.bytes_(b"a"), "is not JSON; send text"),
        (NaTType(2026, 1, 1), "NaT is not JSON; send None or leave it out"),
        (NAType(), "<NA> is not JSON; send None or leave it out"),
        (Payment(), "this Payment has no primary key yet; save it first"),
        (LocalProxy(unbound), "a LocalProxy stands for nothing here: Working outside of request"),
        (SimpleLazyObject(fails), "SimpleLazyObject failed with OSError: the database is away"),
        (gettext_lazy, "a function cannot be written as JSON"),
        (unfinished(), "reading this Unfinished failed with AttributeError"),
        ((n for n in [1]), "a generator cannot be written as JSON"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_is_refused_by_type_and_path(value, what):
    tracker = Tracker("token", lambda *_: True)
    with pytest.raises(InvalidPropertyError) as caught:
        tracker.track("1", "Event", {"cart": [value]})
    assert caught.value.path == 'properties["cart"][0]'
    assert what in str(caught.value)


def test_one_nat_in_an_array_is_found():
    with pytest.raises(InvalidPropertyError, match=r'\["at"\]\[1\]: NaT is not JSON'):
        write_at(np.array(["2026-01-02", "NaT"], "datetime64[D]"))
    with pytest.raises(InvalidPropertyError, match=r'\["at"\]\[0\]: NaT is not JSON'):
        write_at(Series([NaTType(2026, 1, 1)], "M"))


def write_at(value):
    Tracker("token", lambda *_: True).track("1", "Event", {"at": value})


def test_nat_is_no_time_of_an_event():
    with pytest.raises(InvalidPropertyError, match="NaT is not JSON"):
        Tracker("token", lambda *_: True).track("1", "Event", {"time": NaTType(2026, 1, 1)})


def test_ids_are_read_alike():
    messages = []
    tracker = Tracker("token", lambda _, message: messages.append(json.loads(message)["data"]))
    user = SimpleLazyObject(lambda: Customer(email="ann@example.com"))
    tracker.track(user, "Event", ip=ipaddress.ip_address("203.0.113.7"))
    tracker.people.set(np.int64(7), {"Plan": gettext_lazy("Premium")})
    assert messages[0]["properties"]["distinct_id"] == "ann@example.com"
    assert messages[0]["properties"]["ip"] == "203.0.113.7"
    assert messages[1]["$distinct_id"] == 7
    assert messages[1]["$set"] == {"Plan": "Premium"}


@pytest.mark.parametrize(
    "properties",
    [
        QueryDict("q=shoes"),
        LocalProxy(lambda: QueryDict("q=shoes")),
        SimpleLazyObject(lambda: {"q": ["shoes"]}),
        UserDict(q=["shoes"]),
        werkzeug.datastructures.MultiDict({"q": "shoes"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_properties_themselves_may_be_any_mapping(properties):
    messages = []
    tracker = Tracker("token", lambda _, message: messages.append(json.loads(message)["data"]))
    tracker.track("1", "Searched", properties)
    tracker.with_properties(properties).track("1", "Searched")
    tracker.people.set("1", properties)
    tracker.people.track_charge("1", 1, properties)
    assert messages[0]["properties"]["q"] == ["shoes"]
    assert messages[1]["properties"]["q"] == ["shoes"]
    assert messages[2]["$set"] == {"q": ["shoes"]}
    assert messages[3]["$append"]["$transactions"] == {"q": ["shoes"], "$amount": 1}


class Kind(Enum):
    WIDGET = Widget()


def convert(value):
    if isinstance(value, Widget):
        return {"at": UTC_TIME, "in": {Decimal(2)}}
    raise TypeError("ask for Widgets only")


def test_default_converts_what_is_not_known_and_its_result_is_converted_too():
    arrives = {"at": "2026-01-02T03:04:05", "in": [2]}
    assert write(Widget(), default=convert) == arrives
    assert write(Kind.WIDGET, default=convert) == arrives
    assert write({Decimal(1)}, default=convert) == [1]  # what is known is not asked for


def test_default_serves_every_way_out():
    hooked, messages = [], []

    def hook(_type, record):
        hooked.append(json.dumps(record))
        return record

    sink = lambda _, message: messages.append(message)  # noqa: E731
    tracker = Tracker("token", sink, before_send=hook, default=str.upper)
    tracker.track("1", "Event", {"a": "plain"})
    tracker = Tracker("token", sink, before_send=hook, default=lambda _: "w")
    tracker.track("1", "Event", {"a": Widget()})
    tracker.people.set("1", {"a": Widget()})
    tracker.groups.set("Company", "1", {"a": Widget()})
    tracker.with_properties({"a": Widget()}).import_event("1", "Event", {"time": 1})
    assert all('"a": "w"' in one for one in hooked[1:])
    assert all('"a":"w"' in one for one in messages[1:])
    address = tracker.generate_tracking_url("1", "Event", {"a": Widget()})
    data = parse_qs(urlsplit(address).query)["data"][0]
    assert json.loads(base64.urlsafe_b64decode(data))["properties"]["a"] == "w"


async def awaited(value):
    return value


def test_a_coroutine_among_the_values_is_to_be_awaited():
    forgotten = awaited("text")
    tracker = Tracker("token", lambda *_: True)
    with pytest.raises(InvalidPropertyError, match="a coroutine is not JSON; await it"):
        tracker.track("1", "Event", {"a": forgotten})
    forgotten.close()


@pytest.mark.parametrize(
    ("default", "what"),
    [
        (convert, "an object cannot be written as JSON: ask for Widgets only"),
        (lambda value: value, "default= returned an object as it was"),
        (lambda _: object(), "is no JSON after 190 conversions"),
        (lambda _: 1 / 0, "reading this object failed with ZeroDivisionError: division by zero"),
        (lambda _: float("nan"), "NaN is not JSON"),
        (lambda value: awaited(value), "default= returned a coroutine, which nothing awaits"),  # noqa: PLW0108 - no coroutine function, which is refused earlier
    ],
)
def test_a_default_that_does_not_convert_is_refused(default, what):
    tracker = Tracker("token", lambda *_: True, default=default)
    with pytest.raises(InvalidPropertyError, match=what) as caught:
        tracker.track("1", "Event", {"cart": [object()]})
    assert caught.value.path == 'properties["cart"][0]'


def test_a_hook_is_given_integers_and_may_return_its_own_values():
    messages = []

    def hook(_type, record):
        assert record["properties"]["big"] == 2**70
        record["properties"]["at"] = UTC_TIME
        return record

    tracker = Tracker("token", lambda _, message: messages.append(message), before_send=hook)
    assert tracker.track("1", "Event", {"big": 2**70})
    properties = json.loads(messages[0])["data"]["properties"]
    assert (properties["big"], properties["at"]) == (2**70, "2026-01-02T03:04:05")
