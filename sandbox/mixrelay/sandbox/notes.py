"""What Mixpanel does to a record without being asked, and without a word in its answer."""

from __future__ import annotations

from typing import NamedTuple

KINDS = {
    "cut_text": "texts over 255 characters are cut",
    "cut_name": "names of events and properties over 255 characters are cut",
    "cut_list": "lists and objects over 8 KB in an event, over 256 KB in a profile, are cut",
    "many_properties": "properties above 2,000 of a profile are left out",
    "hidden_property": "properties named bucket and $bucket are hidden",
    "time_overwritten": "a time ahead becomes the time of arrival",
    "synthetic_user": "an event without a user gets one made of the request's address",
    "hot_shard": "events above the limit of a day lose their name and their user",
    "not_merged": "an identity event, or a pair of ids, had no effect",
    "location_in_set": "$latitude and $longitude have their effect beside $set only",
}


class Note(NamedTuple):
    """One change to one record.

    Attributes:
        kind: one of KINDS.
        field: where, such as `properties.Cart`.
        text: what was done.
    """

    kind: str
    field: str
    text: str
