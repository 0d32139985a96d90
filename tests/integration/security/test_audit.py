"""The audit of dependencies: what could not be asked about is no good news."""

from tests.support.audit import Audit

CLEAN = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"]}]}
SKIPPED = {"name": "c", "skip_reason": "could not be audited"}


def test_a_vulnerability_fails_the_audit_and_is_named_with_its_remedy() -> None:
    audit = Audit.of({"dependencies": [CLEAN, BAD, SKIPPED]})
    assert audit.exit_code == 1
    assert "audit: FOUND CVE-1 in b 2, mended in 2.1" in audit.lines()


def test_packages_that_nobody_could_be_asked_about_are_said_and_fail_nothing() -> None:
    audit = Audit.of({"dependencies": [SKIPPED]})
    assert audit.exit_code == 0
    assert audit.lines() == ["audit: COULD NOT ASK about 1 packages, such as: could not be audited"]


def test_a_clean_answer_says_how_many_were_asked_about() -> None:
    audit = Audit.of({"dependencies": [CLEAN, {"name": "mixrelay", "skip_reason": "editable"}]})
    assert audit.exit_code == 0
    assert audit.lines() == ["audit: nothing known against the 1 packages asked about"]
