"""What keeps a version from being released is said; what is ready is not held up."""

import pytest

from tests.release.checking import faults

CHANGELOG = """# Changelog

The form is Keep a Changelog.

## Unreleased

## [1.2.3] - 2026-12-01

### Added

- Something.

## [1.2.2] - 2026-11-01

- Before.
"""


def found(version="1.2.3", changelog=CHANGELOG, tags=("v1.2.3",), is_clean=True):
    return faults(version, changelog, tags=list(tags), is_clean=is_clean)


def test_a_version_with_its_changelog_and_its_tag_is_ready():
    assert found() == []
    assert found(changelog=CHANGELOG.replace("## Unreleased\n\n", "")) == []
    assert (
        found(
            version="1.2.3rc1", changelog=CHANGELOG.replace("1.2.3", "1.2.3rc1"), tags=["v1.2.3rc1"]
        )
        == []
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"version": "1.2.3.dev1", "tags": ["v1.2.3.dev1"]}, "is no release"),
        ({"tags": []}, "no tag v1.2.3: git tag"),
        ({"tags": ["1.2.3", "v1.2.2"]}, "no tag v1.2.3"),
        ({"is_clean": False}, "differs from the commit"),
        (
            {"changelog": CHANGELOG.replace("## Unreleased\n", "## Unreleased\n\n- New.\n")},
            "under Unreleased",
        ),
        (
            {"changelog": CHANGELOG.replace("## Unreleased\n", "## [Unreleased]\n\n- New.\n")},
            "under Unreleased",
        ),
        ({"changelog": CHANGELOG.replace(" - 2026-12-01", "")}, "newest version is '[1.2.3]'"),
        ({"version": "1.3.0", "tags": ["v1.3.0"]}, "must be '[1.3.0] - YYYY-MM-DD'"),
        (
            {"changelog": CHANGELOG.replace("### Added\n\n- Something.\n", "")},
            "says nothing about 1.2.3",
        ),
        ({"changelog": "# Changelog\n"}, "has no version"),
    ],
)
def test_what_is_not_ready_is_said_with_what_to_do(given, said):
    assert any(said in fault for fault in found(**given)), found(**given)


def test_all_faults_are_said_at_once():
    assert len(found(version="2", changelog="", tags=(), is_clean=False)) == 4
