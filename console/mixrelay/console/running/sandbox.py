"""`mixrelay sandbox`."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Annotated

import typer

from mixrelay.console import terminal
from mixrelay.console.exits import ExitCode
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import examples
from mixrelay.console.options import flat
from mixrelay.console.running.listening import why_not
from mixrelay.console.text import cut


class _IdMerge(StrEnum):
    SIMPLIFIED = "simplified"
    ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class _Told:
    """What a sandbox can be told at its start."""

    token: Annotated[
        list[str],
        typer.Option(
            metavar="TOKEN",
            help="A project token that it accepts; may be repeated. Default: all.",
        ),
    ] = field(default_factory=list)
    service_account_username: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A service account that may use /import; needs its secret and project id.",
        ),
    ] = None
    service_account_secret: Annotated[
        str | None, typer.Option(metavar="SECRET", help="The service account's secret.")
    ] = None
    project_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The service account's project.")
    ] = None
    api_secret: Annotated[
        list[str],
        typer.Option(
            metavar="SECRET", help="An api_key or secret of old clients; may be repeated."
        ),
    ] = field(default_factory=list)
    oauth_token: Annotated[
        list[str],
        typer.Option(metavar="TOKEN", help="A bearer token that /import takes; may be repeated."),
    ] = field(default_factory=list)
    id_merge: Annotated[
        _IdMerge,
        typer.Option(
            metavar="simplified|original",
            help="How the project merges ids; Mixpanel calls them ID Merge APIs.",
        ),
    ] = _IdMerge.SIMPLIFIED
    merge_by_token: Annotated[
        bool,
        typer.Option(
            "--merge-by-token",
            help="Take $merge under a project token alone; Mixpanel documents it as refused.",
        ),
    ] = False
    hot_shard_limit: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            max=1_000_000_000,
            help="Events per day of one distinct_id; further ones are renamed.",
        ),
    ] = 200_000
    hot_group_limit: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            max=1_000_000_000,
            help="Events per day of one group; further ones are renamed.",
        ),
    ] = 1_000_000
    group_key: Annotated[
        list[str],
        typer.Option(
            metavar="NAME",
            help="An event property that names a group; may be repeated. Keys of group profiles "
            "are added.",
        ),
    ] = field(default_factory=list)
    lookup_table: Annotated[
        list[str],
        typer.Option(
            metavar="ID=NAME",
            help="A lookup table of the project; may be repeated. Without, each id is taken.",
        ),
    ] = field(default_factory=list)
    max_body_bytes: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            max=1_000_000_000,
            help="The largest unpacked request body; a larger one is answered with 413.",
        ),
    ] = 2_097_152
    keep: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=1_000_000_000,
            help="How many entries to keep of each log; without this option all.",
        ),
    ] = None


def register(app: typer.Typer) -> None:
    app.command(
        "sandbox",
        **examples(
            "mixrelay sandbox",
            "mixrelay sandbox --port 9000 --token my-token  # knows this project alone",
            "mixrelay sandbox --id-merge original --hot-shard-limit 1000",
            "MIXPANEL_API_HOST=http://127.0.0.1:8088 mixrelay worker  # sends to it",
            'curl 127.0.0.1:8088/_sandbox/faults -d \'{"kind": "status", "status": 503}\'',
            'curl 127.0.0.1:8088/_sandbox/credentials -d \'{"revoke": ["my-token"]}\'',
        ),
    )(flat(sandbox))


def sandbox(
    told: _Told,
    host: Annotated[
        str,
        typer.Option(metavar="HOST", help="The address to listen on. There is no password."),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, max=65535, help="The port to listen on; 0 takes a free one."
        ),
    ] = 8088,
) -> None:
    """Run a local stand-in for Mixpanel's ingestion API, until SIGTERM or Ctrl-C.

    It validates, cuts, drops and merges as Mixpanel documents, shows what arrived as a page and as
    JSON under /_sandbox/, and fails on request. Tokens can be revoked while it runs.
    """
    # It loads an HTTP server, which no other command waits for.
    from mixrelay.sandbox import Options, run  # noqa: PLC0415

    values = asdict(told)
    # One option given several times is named in the singular.
    values |= {
        "tokens": values.pop("token"),
        "api_secrets": values.pop("api_secret"),
        "oauth_tokens": values.pop("oauth_token"),
        "group_keys": values.pop("group_key"),
        "id_merge": told.id_merge.value,
        "lookup_tables": dict(map(_lookup_table, values.pop("lookup_table"))),
    }
    try:
        options = Options(**values)
    except ValueError as error:
        raise CommandError(str(error), code=ExitCode.USAGE) from error
    try:
        run(host, port, options, on_ready=_announce)
    except (OSError, UnicodeError) as error:
        raise CommandError(
            f"The sandbox cannot listen on {cut(host, 100)}:{port}: {why_not(error)}.",
            "Choose another --port, or end what listens there.",
        ) from error


def _lookup_table(told: str) -> tuple[str, str]:
    table, _, name = told.partition("=")
    return table, name or table


def _announce(url: str) -> None:
    typer.echo(url)
    terminal.say(f"The sandbox takes requests at {url}; what arrived is shown there too.")
    terminal.say(f"Workers send to it with MIXPANEL_API_HOST={url}")
