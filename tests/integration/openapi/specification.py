"""Mixpanel's OpenAPI as a judge of one request or answer; openapi-core does the judging."""

from __future__ import annotations

import copy
import gzip
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import orjson
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

FILES = Path(__file__).parents[2] / "data" / "mixpanel"
HOST = "https://api.mixpanel.com"
OPERATIONS = ("$set", "$set_once", "$add", "$append", "$union", "$remove", "$unset", "$delete")
_TRANSPORT = {"content-type", "content-encoding", "authorization"}
"""Headers that the documents speak of; the others are every HTTP client's."""


class Sent(NamedTuple):
    """A request as it came over the wire."""

    target: str
    headers: dict[str, str]
    raw: bytes

    @property
    def endpoint(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def body(self) -> bytes:
        packed = self.headers.get("content-encoding") == "gzip"
        return gzip.decompress(self.raw) if packed else self.raw


class Problem(NamedTuple):
    """Where a request is not as documented: the operation, the place, and the rule."""

    operation: str
    place: str
    rule: str
    text: str


def _repaired(name: str, paths: dict[str, Any]) -> None:
    """Mend in memory what contradicts the documents' own words."""
    if name == "identity":
        return
    # "authenticate service account credentials": a token needs none, as its own text says
    # ("if project_id is not specified"), and identity.openapi.yaml has it optional.
    project = paths["/import"]["post"]["parameters"][1]
    assert project["name"] == "project_id"
    project["required"] = False
    for path in ("/engage#profile-batch-update", "/groups#group-batch-update"):
        # "A JSON list of update objects", typed as a text that holds one.
        schema = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert "A JSON list of update objects" in schema["description"]
        schema.clear()
        schema |= {"type": "array", "minItems": 1, "items": {"type": "object"}}
    for path, wrong, right in (
        ("/groups#group-union", "$unset", "$union"),
        ("/groups#group-delete", "$set", "$delete"),
    ):
        # The required operation is another page's; described is "a $delete key".
        items = _items(paths[path])
        items["required"][items["required"].index(wrong)] = right


def _items(path: dict[str, Any]) -> dict[str, Any]:
    content = path["post"]["requestBody"]["content"]["application/json"]
    items: dict[str, Any] = content["schema"]["items"]
    return items


@cache
def _document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((FILES / f"{name}.openapi.yaml").read_text())
    _repaired(name, document["paths"])
    return document


def _number(text: bytes, **_charset: str) -> Any:
    return orjson.loads(text)


@cache
def _judge(name: str, path: str) -> OpenAPI:
    """Return a document with one operation, under the path that a request has (no `#`)."""
    document = copy.deepcopy(_document(name))
    document["paths"] = {path.partition("#")[0]: document["paths"][path]}
    # `1` and `0` are numbers in a text/plain, as the document types them.
    config = Config(extra_media_type_deserializers={"text/plain": _number})
    return OpenAPI.from_dict(document, config=config)


@cache
def _by_operation(endpoint: str) -> dict[str, str]:
    """The documented path of each operation of `/engage` or `/groups`."""
    found = {}
    for path, item in _document("ingestion")["paths"].items():
        if path.startswith(f"{endpoint}#") and "batch" not in path:
            (operation,) = set(OPERATIONS) & set(_items(item)["properties"])
            found[operation] = path
    return found


def judged(sent: Sent) -> Iterator[Problem]:
    """Yield everything about a request that is not as documented."""
    yield from _transport_problems(sent)
    records = orjson.loads(sent.body)
    if sent.endpoint in {"/engage", "/groups"}:
        whole = "profile" if sent.endpoint == "/engage" else "group"
        yield from _problems("ingestion", f"{sent.endpoint}#{whole}-batch-update", sent, records)
        for record in records:
            for operation in set(OPERATIONS) & set(record):
                path = _by_operation(sent.endpoint).get(operation)
                if path is None:
                    yield Problem(sent.endpoint, "", "unknown operation", operation)
                else:
                    yield from _problems("ingestion", path, sent, [record])
        return
    for record in records:
        merges = sent.endpoint == "/import" and record["event"] == "$merge"
        document = "identity" if merges else "ingestion"
        yield from _problems(document, sent.endpoint, sent, [record])


def _transport_problems(sent: Sent) -> Iterator[Problem]:
    """Check what a validator leaves: undeclared parameters, and headers with their values."""
    path = {"/engage": "/engage#profile-batch-update", "/groups": "/groups#group-batch-update"}
    item = _document("ingestion")["paths"][path.get(sent.endpoint, sent.endpoint)]["post"]
    declared = {one["name"]: one for one in item["parameters"]}
    for name in sent.query:
        if declared.get(name, {}).get("in") != "query":
            yield Problem(sent.endpoint, f"query {name}", "undeclared", sent.target)
    for name, one in declared.items():
        # A validator takes the default in its place.
        if one.get("required") and name not in sent.query:
            yield Problem(sent.endpoint, f"query {name}", "required", sent.target)
    for name in _TRANSPORT & set(sent.headers) - {"authorization", "content-type"}:
        if name.title() not in declared:
            yield Problem(sent.endpoint, f"header {name}", "undeclared", sent.headers[name])
    if "authorization" in sent.headers and item["security"] == [{}]:
        yield Problem(sent.endpoint, "header authorization", "undeclared", "")


def _problems(name: str, path: str, sent: Sent, records: list[Any]) -> Iterator[Problem]:
    # Each operation declares its own parameters, a batch those of all its operations.
    request = MockRequest(
        HOST,
        "post",
        sent.endpoint,
        args=sent.query,
        headers={name.title(): value for name, value in sent.headers.items()},
        data=orjson.dumps(records),
        content_type=sent.headers["content-type"],
    )
    for error in _judge(name, path).iter_request_errors(request):
        yield from _told(path, error)


def _told(operation: str, error: BaseException) -> Iterator[Problem]:
    cause = error.__cause__
    details = getattr(cause, "schema_errors", None)
    if details is None:
        yield Problem(operation, type(error).__name__, "", f"{error} {cause or ''}")
        return
    for detail in details:
        place = ".".join(map(str, [*detail.absolute_path, *_missing(detail)][1:]))
        yield Problem(operation, place, str(detail.validator), detail.message[:300])


def _missing(detail: Any) -> list[str]:
    """Name the member that is required and absent; the validator names its object."""
    if detail.validator != "required":
        return []
    return [name for name in detail.validator_value if f"{name!r} is a req" in detail.message]


def answer_problems(
    sent: Sent, status: int, content_type: str, body: bytes, *, name: str = "ingestion"
) -> list[Problem]:
    """Return everything about an answer to a request that is not as documented."""
    path = {"/engage": "/engage#profile-batch-update", "/groups": "/groups#group-batch-update"}
    path = path.get(sent.endpoint, sent.endpoint)
    request = MockRequest(HOST, "post", sent.endpoint, args=sent.query)
    response = MockResponse(body, status, content_type=content_type)
    judge = _judge(name, path)
    return [
        problem
        for error in judge.iter_response_errors(request, response)
        for problem in _told(path, error)
    ]
