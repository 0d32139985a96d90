"""`mixrelay lookup`."""

from dataclasses import dataclass
from typing import Annotated

import typer

from mixrelay.console.exits import ExitCode
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import Group, examples, lines
from mixrelay.console.options import flat, from_table, number
from mixrelay.console.text import count
from mixrelay.producer.errors import DeliveryError, InvalidPropertyError
from mixrelay.producer.lookup import SECONDS, replace_lookup_table
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.settings import Settings

lookup = typer.Typer(
    name="lookup",
    help="Lookup tables of Mixpanel.",
    cls=Group,
    epilog=lines("mixrelay lookup replace d1b6d2e0-1330-4ad6-b520-d948ede3b1a7 songs.csv"),
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    app.add_typer(lookup)


@dataclass(frozen=True, slots=True)
class Project:
    """Which of Mixpanel's projects."""

    project_id: Annotated[str, from_table("project_id", "ID")] = ""
    region: Annotated[str, from_table("region", "us|eu|in")] = ""
    api_host: Annotated[str, from_table("api_host", "URL")] = ""


@lookup.command(
    "replace",
    **examples(
        "mixrelay lookup replace d1b6d2e0-1330-4ad6-b520-d948ede3b1a7 songs.csv",
        "mixrelay lookup replace d1b6d2e0-1330-4ad6-b520-d948ede3b1a7 songs.csv --region eu",
    ),
)
@flat
def replace(
    project: Project,
    table_id: Annotated[
        str, typer.Argument(metavar="ID", help="The table's id, from its details in Lexicon.")
    ],
    file: Annotated[
        str, typer.Argument(metavar="FILE.csv", help="UTF-8, a header, the key column first.")
    ],
    deadline: Annotated[
        float,
        number("deadline", "For the whole exchange.", least=1, most=86_400, metavar="SECONDS"),
    ] = SECONDS,
) -> None:
    """Replace a lookup table as a whole with the rows of a CSV file.

    Rows that are not in the file are gone from the table. The file is checked before anything is
    sent. Mixpanel takes up to 100 MB, and 100 replacements a day.

    It needs a service account: MIXPANEL_SERVICE_ACCOUNT_USERNAME, MIXPANEL_SERVICE_ACCOUNT_SECRET
    and MIXPANEL_PROJECT_ID.
    """
    given = {"project_id": project.project_id, "region": project.region}
    settings = Settings.from_environment(given={**given, "api_host": project.api_host})
    if settings.account is None:
        raise ConfigurationError(
            "A lookup table is replaced by a service account, and there is none: set "
            "MIXPANEL_SERVICE_ACCOUNT_USERNAME, MIXPANEL_SERVICE_ACCOUNT_SECRET and "
            "MIXPANEL_PROJECT_ID."
        )
    try:
        rows = replace_lookup_table(
            table_id,
            file,
            credentials=settings.account,
            api_host=settings.base,
            deadline=deadline,
        )
    except OSError as error:
        raise CommandError(
            f"{file} cannot be read: {error.strerror}.", code=ExitCode.USAGE
        ) from error
    except InvalidPropertyError as error:
        raise CommandError(f"{error}.", "Nothing was sent.", code=ExitCode.USAGE) from error
    except DeliveryError as error:
        raise CommandError(str(error), _todo(error)) from error
    typer.echo(f"Replaced the table; it has {count(rows, 'row')} now.")


def _todo(error: DeliveryError) -> str:
    if error.maybe_delivered:
        return "The table may have been replaced. Run the command again."
    return "The table is as it was."
