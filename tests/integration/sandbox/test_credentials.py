"""Credentials that change while the sandbox runs."""

import json

import pytest

from mixrelay.sandbox import Options

ACCOUNT = {
    "service_account_username": "svc.user",
    "service_account_secret": "svc-secret",
    "project_id": "98765",
}
MERGE = {"event": "$merge", "properties": {"$distinct_ids": ["a", "b"], "token": "project-token"}}
UNAUTHORIZED = {"code": 401, "error": "Invalid credentials", "status": "Unauthorized"}


@pytest.fixture(params=["knows one", "knows all"])
def any_client(client_of, request):
    return client_of(Options(tokens=["project-token"] if request.param == "knows one" else []))


def test_a_revoked_token_is_401_on_import_and_silence_elsewhere(any_client, event, update) -> None:
    client = any_client
    assert client.strict(event()).status_code == 200

    client.sandbox.revoke("project-token")

    refused = client.strict(event(**{"$insert_id": "two"}))
    assert (refused.status_code, refused.json()) == (401, UNAUTHORIZED)
    assert client.post("/track", event(**{"$insert_id": "two"})).text == "1"
    group = {"$token": "project-token", "$group_key": "k", "$group_id": "g", "$set": {"a": 1}}
    for path, sent in (("/engage", update(set={"a": 1})), ("/groups", group)):
        answer = client.post(f"{path}?verbose=1&strict=1", [sent])
        assert answer.json() == {"status": 1, "error": None}
    assert len(client.sandbox.events) == 1
    assert client.sandbox.updates == []
    assert {drop.field for drop in client.sandbox.dropped} == {"token"}

    client.sandbox.know("project-token")

    assert client.strict(event(**{"$insert_id": "two"})).status_code == 200
    client.post("/engage", update(set={"a": 1}))
    assert client.sandbox.profiles == {"user-1": {"a": 1}}


def test_another_region_is_a_sandbox_that_knows_only_other_tokens(client, event) -> None:
    client.sandbox.know_only("of-this-region")

    assert client.strict(event()).status_code == 401
    again = client.post("/import?strict=1", [event()], auth=("of-this-region", ""))
    assert again.status_code == 200


def test_the_last_token_revoked_does_not_open_the_sandbox_to_all(client_of, event) -> None:
    client = client_of(Options(tokens=["project-token"]))
    client.sandbox.revoke("project-token")

    assert client.post("/import", event(), auth=("any", "")).status_code == 401
    assert client.post("/track", event(token="any")).text == "1"
    assert client.sandbox.events == []


def test_the_service_account_changes_while_the_sandbox_runs(client_of, event) -> None:
    client = client_of(Options(tokens=["project-token"], **ACCOUNT))

    def status(secret: str) -> int:
        how = {"auth": ("svc.user", secret), "params": {"project_id": "98765"}}
        return client.post("/import?strict=1", [event()], **how).status_code

    assert status("svc-secret") == 200
    client.sandbox.set_account("svc.user", "rotated", "98765")
    assert [status("svc-secret"), status("rotated")] == [401, 200]
    client.sandbox.set_account(None)
    assert status("rotated") == 401
    with pytest.raises(ValueError, match="all or none"):
        client.sandbox.set_account("svc.user")


def test_the_control_api_changes_and_shows_credentials_without_secrets(client_of, event) -> None:
    client = client_of(Options(tokens=["project-token"], api_secrets=["sec"], **ACCOUNT))
    account = {"username": "other", "secret": "other-secret", "project_id": "1"}
    change = {"know": ["b", "c"], "revoke": ["project-token"], "service_account": account}

    answer = client.post("/_sandbox/credentials", change)

    assert answer.json() == {
        "tokens": ["b", "c"],
        "revoked": ["project-token"],
        "service_account": {"username": "other", "project_id": "1"},
        "api_secrets": 1,
        "oauth_tokens": 0,
    }
    assert client.get("/_sandbox/credentials").json() == answer.json()
    assert client.post("/import", event(), auth=("b", "")).status_code == 200
    assert client.post("/_sandbox/credentials", {"know_only": ["d"]}).json()["tokens"] == ["d"]
    client.post("/_sandbox/reset")
    assert client.get("/_sandbox/credentials").json()["tokens"] == ["project-token"]


@pytest.mark.parametrize(
    "change",
    [
        [],
        {"tokens": []},
        {"know": "one"},
        {"revoke": [1]},
        {"service_account": {"username": "u"}},
        {"service_account": "u"},
        {"know": ["x"], "service_account": {"username": "", "secret": "s", "project_id": "p"}},
    ],
    ids=repr,
)
def test_a_change_of_another_form_is_refused_and_changes_nothing(client_of, change) -> None:
    client = client_of(Options(tokens=["project-token"]))
    before = client.get("/_sandbox/credentials").json()

    answer = client.post("/_sandbox/credentials", change)

    assert answer.status_code == 400
    assert answer.json()["error"]
    assert client.get("/_sandbox/credentials").json() == before


def test_merge_by_a_token_alone_is_refused_unless_an_option_says_otherwise(
    client_of, client, event
) -> None:
    refused = client.strict(event(), MERGE)
    assert (refused.status_code, refused.json()) == (401, UNAUTHORIZED)
    assert client.sandbox.events == []

    lenient = client_of(Options(merge_by_token=True))
    assert lenient.strict(event(), MERGE).json()["num_records_imported"] == 2


@pytest.mark.parametrize(
    "how",
    [
        {"auth": ("svc.user", "svc-secret"), "params": {"project_id": "98765"}},
        {"auth": ("sec", "")},
        {"headers": {"Authorization": "Bearer oauth-1"}, "params": {"project_id": "98765"}},
    ],
    ids=repr,
)
def test_merge_is_taken_by_the_documented_credentials(client_of, how) -> None:
    options = Options(
        tokens=["project-token"], api_secrets=["sec"], oauth_tokens=["oauth-1"], **ACCOUNT
    )
    client = client_of(options)

    assert client.post("/import", [MERGE], **how).text == "1"
    assert client.sandbox.events == [MERGE]


@pytest.mark.parametrize("ids", [["a"], ["a", "b", "c"], ["a", 2], ["a", ""], "ab", None])
def test_merge_wants_two_texts(client, ids) -> None:
    merge = {"event": "$merge", "properties": {"$distinct_ids": ids, "token": "t"}}

    answer = client.post("/import?strict=1", [merge], auth=("account", "secret"))

    assert answer.status_code == 400
    assert answer.json()["failed_records"][0]["field"] == "properties.$distinct_ids"


@pytest.mark.parametrize(
    ("token", "project", "status"), [("oauth-1", "1", 200), ("oauth-1", "", 401), ("x", "1", 401)]
)
def test_an_oauth_token_is_taken_with_a_project(client_of, event, token, project, status) -> None:
    client = client_of(Options(oauth_tokens=["oauth-1"]))
    headers = {"Authorization": f"Bearer {token}"}

    answer = client.post("/import", event(), headers=headers, params={"project_id": project})

    assert answer.status_code == status


def test_requests_keep_their_query_without_records_and_secrets(client, event) -> None:
    form = {"data": json.dumps(event()), "api_key": "a-secret", "strict": "1"}
    client.post("/import?ip=0", data=form)
    client.post("/groups?ip=0&strict=1&verbose=1", [{}])

    first, second = client.sandbox.requests
    assert first.query == {"ip": "0", "api_key": "…", "strict": "1"}
    assert second.query == {"ip": "0", "strict": "1", "verbose": "1"}
    assert first.address == "127.0.0.1"
    assert "a-secret" not in client.get("/_sandbox/requests").text
