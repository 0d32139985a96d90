"""A licence is read where a package declares it, and asked for where it does not."""

import pytest

from tests.release.bill import Licensed


def metadata(**more):
    return {
        "name": "Some",
        "version": "1",
        "expression": None,
        "text": None,
        "classifiers": [],
    } | more


@pytest.mark.parametrize(
    ("given", "licence"),
    [
        ({"expression": "MIT OR Apache-2.0", "text": "other"}, "MIT OR Apache-2.0"),
        (
            {"classifiers": ["License :: OSI Approved :: MIT License", "Typing :: Typed"]},
            "MIT License",
        ),
        ({"text": "BSD-3-Clause"}, "BSD-3-Clause"),
        ({"text": "Permission is hereby granted,\nfree of charge"}, ""),
        ({}, ""),
    ],
)
def test_where_a_licence_is_read(given, licence):
    assert Licensed.of(metadata(**given)) == Licensed("some", "1", licence)
