"""docs/sandbox.md is true: each row of its tables has tests, and names a page of Mixpanel's."""

import ast
import re
from pathlib import Path

import pytest

from mixrelay.sandbox import Options, notes

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "sandbox.md"
LINK = re.compile(
    r"\[[^\]]+\]\(https://docs\.mixpanel\.com/(?:reference|docs|troubleshooting)/[^)]+\)"
)

# By the first words of a row: the tests that hold it.
TESTS = {
    "`/track`, `/import`, `/engage`": ["test_forms.test_a_form_is_read_as_old_clients_write_it"],
    "413 above 2,000 records": ["test_import.test_more_than_2000_records_are_413_everywhere"],
    "gzip on `/track`": ["test_forms.test_gzip_is_refused_for_profiles_and_groups"],
    "`1`, `0`, and with `verbose=1`": ["test_track.test_track_answers_0_when_no_event_is_valid"],
    "`img=1`": ["test_unasked.test_an_image_answers_a_pixel_whatever_became_of_the_record"],
    "`callback=NAME`": ["test_unasked.test_a_callback_answers_javascript"],
    "`/import?strict=1`": ["test_import.test_import_takes_the_valid_events_and_names_the_others"],
    "`/engage?strict=1`": [
        "test_updates.test_strict_engage_answers_200_with_the_failed_records_and_applies_the_others"
    ],
    "`/import` takes a service account": [
        "test_import.test_import_takes_each_kind_of_credentials",
    ],
    "`/import` takes an OAuth": ["test_credentials.test_an_oauth_token_is_taken_with_a_project"],
    "401 `Invalid credentials`": ["test_import.test_import_answers_401_to_other_credentials"],
    "`/track`, `/engage`, `/groups` answer `1`": [
        "test_credentials.test_a_revoked_token_is_401_on_import_and_silence_elsewhere"
    ],
    "tokens and the service account change": [
        "test_credentials.test_another_region_is_a_sandbox_that_knows_only_other_tokens",
        "test_credentials.test_the_service_account_changes_while_the_sandbox_runs",
    ],
    "`$merge` under a token alone": [
        "test_credentials.test_merge_by_a_token_alone_is_refused_unless_an_option_says_otherwise"
    ],
    "`/import`: a `time`": [
        "test_import.test_strict_import_refuses_an_event_by_the_field",
        "test_import.test_strict_import_takes_what_is_documented",
    ],
    "`/track`: events older": [
        "test_track.test_an_event_of_over_five_days_vanishes_though_track_answers_1"
    ],
    "a `time` ahead": ["test_unasked.test_a_time_ahead_becomes_the_time_of_arrival"],
    "`$insert_id`": ["test_import.test_strict_import_refuses_an_event_by_the_field"],
    "of events with equal name": [
        "test_arrivals.test_of_equal_four_part_keys_the_latest_is_shown_and_one_counted"
    ],
    "placeholders, `true`": [
        "test_unasked.test_track_drops_a_distinct_id_that_import_refuses",
        "test_import.test_strict_import_refuses_an_event_by_the_field",
    ],
    "an event without a `distinct_id`": [
        "test_unasked.test_an_event_without_a_user_gets_one_of_the_requests_address"
    ],
    "`$time` and `$distinct_id`": [
        "test_unasked.test_time_and_distinct_id_are_read_under_their_other_names_too"
    ],
    "`$ignore`": ["test_unasked.test_an_event_with_ignore_vanishes_without_a_word"],
    "texts are cut": ["test_unasked.test_texts_are_cut_at_255_characters"],
    "names of events": ["test_unasked.test_names_are_cut_at_255_characters"],
    "lists and objects of an event": [
        "test_unasked.test_lists_and_objects_of_an_event_end_at_8_kb"
    ],
    "under 255 properties": ["test_track.test_track_drops_what_breaks_a_documented_limit"],
    "properties named `bucket`": ["test_unasked.test_a_property_named_bucket_is_hidden"],
    "above 200,000 events": [
        "test_hot_shards.test_events_above_the_limit_lose_their_name_and_their_user"
    ],
    "the same above 1,000,000": ["test_hot_shards.test_a_group_becomes_a_hot_shard"],
    "Simplified ID Merge (default)": ["test_identity.test_a_new_user_signs_up"],
    "Simplified: a device alone": [
        "test_identity.test_the_two_ids_override_a_distinct_id",
        "test_identity.test_a_distinct_id_alone_is_a_user_or_a_prefixed_device",
    ],
    "Simplified: a device that has": ["test_identity.test_a_device_belongs_to_its_first_user"],
    "Simplified: `$identify`": [
        "test_identity.test_identity_events_merge_nothing_though_they_are_answered_well"
    ],
    "Original (`--id-merge original`)": [
        "test_identity.test_identify_merges_nothing_but_a_uuid_v4",
        "test_identity.test_an_anonymous_id_is_merged_once",
    ],
    "Original: `$merge`": [
        "test_identity.test_merge_joins_any_two_clusters",
        "test_identity.test_a_cluster_has_at_most_500_ids",
    ],
    "Original: `$create_alias`": ["test_identity.test_an_alias_is_a_new_name_for_an_id"],
    "`$merge` wants two texts": [
        "test_credentials.test_merge_wants_two_texts",
        "test_track.test_merge_is_lost_on_track_and_taken_by_import",
        "test_unasked.test_identity_events_want_texts",
    ],
    "whose events are whose": ["test_identity.test_users_are_a_view_of_the_control_api"],
    "`$set`, `$set_once`": ["test_updates.test_each_operation_has_its_documented_effect"],
    "operands of a wrong type": [
        "test_updates.test_engage_names_the_field_that_is_wrong",
        "test_updates.test_groups_are_kept_by_key_and_id",
    ],
    "a profile has at most 2,000": [
        "test_updates.test_a_profile_holds_2000_properties_and_no_more_are_added"
    ],
    "lists and objects of a profile": ["test_updates.test_a_list_of_a_profile_ends_at_256_kb"],
    "`ip` of the query": [
        "test_arrivals.test_requests_and_arrivals_tell_how_they_came",
        "test_updates.test_ip_and_place_stand_beside_the_operation",
    ],
    "`PUT /lookup-tables/{id}`": [
        "test_lookup_tables.test_a_table_is_replaced_as_a_whole",
        "test_lookup_tables.test_an_invalid_table_replaces_nothing",
        "test_lookup_tables.test_a_table_wants_a_service_account",
    ],
    "a lookup table has at most": [
        "test_lookup_tables.test_a_table_over_100_mb_is_413",
        "test_lookup_tables.test_a_project_replaces_tables_100_times_a_day",
    ],
    "`GET /lookup-tables`": ["test_lookup_tables.test_the_tables_are_listed"],
}


def rows() -> list[tuple[str, str]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [(cell[0], cell[1]) for cell in cells if cell[0] not in {"behaviour", "---"}]


def functions_of(module: str) -> set[str]:
    tree = ast.parse((HERE / f"{module}.py").read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    for behaviour, _ in rows():
        assert [start for start in TESTS if behaviour.startswith(start)], behaviour
    for start in TESTS:
        # The longest beginning counts: one row's may begin another's.
        assert [one for one, _ in rows() if one.startswith(start)], start


@pytest.mark.parametrize("name", sorted({name for names in TESTS.values() for name in names}))
def test_a_row_s_test_is_there(name) -> None:
    module, _, function = name.partition(".")

    assert function in functions_of(module)


def test_every_row_names_a_page() -> None:
    assert len(rows()) == len(TESTS)
    for behaviour, page in rows():
        assert LINK.search(page), behaviour


def test_every_kind_of_note_is_explained() -> None:
    assert all(kind.isidentifier() and does for kind, does in notes.KINDS.items())


def test_every_option_that_the_page_names_exists() -> None:
    named = set(re.findall(r"--([a-z][a-z-]+)", PAGE.read_text()))
    fields = {name.replace("_", "-") for name in Options.__dataclass_fields__}
    # A list is an option given several times, named in the singular.
    assert named <= fields | {field.removesuffix("s") for field in fields}
    assert named
