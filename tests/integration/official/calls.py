"""Everything that mixpanel.Mixpanel can be told, method by method; each about a user of its own.

A call takes the library's object, the user (for groups: the group's id) and a project's secret.
"""

import json
import time
from datetime import date, datetime, timedelta, timezone

EAST = timezone(timedelta(hours=2))
DATED = datetime(2026, 1, 2, 3, 4, 5, 678901, EAST)
LAST_MONTH = 30 * 86_400

ODD = {
    "text": 'naïve "quoted" \\ \u2028 \U0001f600 \x00',
    "numbers": [0, -1, 1e-07, 1e15, 2**63, 2**64 + 1, 0.1],
    "nested": {"list": [{"deep": None}], "": True},
    "date": DATED,
    "json_class": "String",
}


def an_import(mp, user, secret, **options):
    moment = int(time.time()) - LAST_MONTH
    mp.import_data("KEY", user, "Past", moment, {"n": 1}, api_secret=secret, **options)


def merge(mp, user, secret, **options):
    mp.merge("KEY", user, f"{user} of old", api_secret=secret, **options)


def generic_update(mp, user, _):
    mp.people_update({"$distinct_id": user, "$set": {"a": 1}, "$add": {"b": 2}}, {"$time": 1})


def generic_group_update(mp, name, _):
    mp.group_update({"$group_key": "team", "$group_id": name, "$set": {"a": 1}})


CALLS = {
    "track": lambda mp, user, _: mp.track(user, "Signed In"),
    "track with properties": lambda mp, user, _: mp.track(user, "Bought", {"Price": 9.5}),
    "track with odd values": lambda mp, user, _: mp.track(user, "Odd", ODD),
    "track with meta": lambda mp, user, _: mp.track(user, "A", {}, {"event": "B", "beside": 1}),
    "track with an address": lambda mp, user, _: mp.track(user, "A", {"ip": "203.0.113.7"}),
    "track over a default": lambda mp, user, _: mp.track(user, "A", {"mp_lib": "mine"}),
    "import_data": an_import,
    "import_data with meta": lambda mp, user, secret: an_import(mp, user, secret, meta={"x": 1}),
    "merge": merge,
    "merge with meta": lambda mp, user, secret: merge(mp, user, secret, meta={"x": 1}),
    "people_set": lambda mp, user, _: mp.people_set(user, {"$email": "a@example.com"}),
    "people_set with meta": lambda mp, user, _: mp.people_set(
        user, {"a": 1}, meta={"$ip": "203.0.113.7", "$ignore_time": True}
    ),
    "people_set with odd values": lambda mp, user, _: mp.people_set(user, ODD),
    "people_set_once": lambda mp, user, _: mp.people_set_once(user, {"First": DATED}),
    "people_increment": lambda mp, user, _: mp.people_increment(user, {"n": -2, "m": 0.5}),
    "people_append": lambda mp, user, _: mp.people_append(user, {"Items": "Super Arm"}),
    "people_union": lambda mp, user, _: mp.people_union(user, {"Items": ["Arm", "Leg"]}),
    "people_unset": lambda mp, user, _: mp.people_unset(user, ["a", "b"]),
    "people_remove": lambda mp, user, _: mp.people_remove(user, {"Items": "Arm"}),
    "people_delete": lambda mp, user, _: mp.people_delete(user, meta={"$ignore_alias": True}),
    "people_track_charge": lambda mp, user, _: mp.people_track_charge(user, 9.99, {"sku": "x"}),
    "people_clear_charges": lambda mp, user, _: mp.people_clear_charges(user),
    "people_update": generic_update,
    "group_set": lambda mp, name, _: mp.group_set("team", name, {"$name": "Acme", "n": 1}),
    "group_set_once": lambda mp, name, _: mp.group_set_once("team", name, {"First": DATED}),
    "group_union": lambda mp, name, _: mp.group_union("team", name, {"Items": ["Arm"]}),
    "group_unset": lambda mp, name, _: mp.group_unset("team", name, ["a"]),
    "group_remove": lambda mp, name, _: mp.group_remove("team", name, {"Items": "Arm"}),
    "group_delete": lambda mp, name, _: mp.group_delete("team", name),
    "group_update": generic_group_update,
}


def whom(record):
    """The user or group that a record is about: which of the calls it came from."""
    properties = record.get("properties", record)
    for name in ("distinct_id", "$distinct_id", "$group_id"):
        if name in properties:
            return properties[name]
    return properties["$distinct_ids"][0]


class OwnSerializer(json.JSONEncoder):
    """One that a user of the library might give it."""

    def default(self, value):
        return value.isoformat() if isinstance(value, date) else super().default(value)
