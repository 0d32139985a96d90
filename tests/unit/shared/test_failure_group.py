"""Letters of one cause have one group, in every process; those of two causes have two."""

import pytest

from mixrelay.shared.queue.letters.failure_group import GROUP, general, general_field, group_name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fewer than 255 elements; this has 300", "fewer than 255 elements; this has 12,001"),
        ("user 0b9f1c2e-7a2c-4a60-9d7d-0123456789ab", "user 1b9f1c2e-7a2c-4a60-9d7d-0123456789ff"),
        ("row 3: -1.5 is wrong", "row 12: 27 is wrong"),
    ],
)
def test_numbers_and_ids_are_no_other_cause(one: str, other: str) -> None:
    assert group_name("invalid", "properties.a", one) == group_name(
        "invalid", "properties.a", other
    )


def test_another_field_reason_or_error_is_another_cause() -> None:
    fields = ("properties.a", "properties.b", "properties.address1", "properties.address2", "")
    names = {group_name("invalid", field, "x") for field in fields}
    names |= {
        group_name("rejected", "properties.a", "x"),
        group_name("invalid", "properties.a", "y"),
    }
    assert len(names) == len(fields) + 2
    assert all(GROUP.fullmatch(name) for name in names)


def test_a_name_stays_the_same_in_every_version() -> None:
    nested = group_name("invalid", "properties.Cart", "lists nest at most 3 deep")
    assert nested == "421831a2"


def test_words_with_digits_and_names_stay() -> None:
    assert general("$insert_id of v2 in utf8 is 12 long") == "$insert_id of v2 in utf8 is N long"
    assert general_field("properties.items[3].tags[12]") == "properties.items[N].tags[N]"
    assert group_name("invalid", "", "\udcff\n\x00" * 9_999)
