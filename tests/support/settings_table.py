"""The tables of settings, made from the code: ``python -m tests.support.settings_table``.

With ``--write`` docs/configuration.md gets all of them, and the README what a deployment sets.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.producer.options import QueueSettings
from mixrelay.shared.options import Option, options
from mixrelay.shared.settings import Settings
from mixrelay.shared.variables import DISABLED
from mixrelay.worker.base.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CONFIGURATION = ROOT / "docs" / "configuration.md"
MARKED = re.compile(r"(<!-- settings[^>]*-->\n).*?(<!-- /settings -->)", re.DOTALL)
UNITS = {"seconds": " s", "bytes": " bytes"}
"""The help names the others."""

DEPLOYED = (
    "MIXRELAY_REDIS_URL",
    "MIXPANEL_TOKEN",
    "MIXPANEL_REGION",
    "MIXPANEL_PROJECT_ID",
    "MIXPANEL_SERVICE_ACCOUNT_USERNAME",
    "MIXPANEL_SERVICE_ACCOUNT_SECRET",
    "MIXRELAY_PROCESSES",
    "MIXRELAY_SPOOL_DIR",
    "MIXRELAY_DASHBOARD_TOKEN",
)
"""What a deployment sets; the README has no other setting."""

WORKERS = """## Workers

| variable | `mixrelay worker` | default | means |
| --- | --- | --- | --- |
"""
PRODUCERS = """
## Producers

Applications read `MIXRELAY_REDIS_URL`, `MIXRELAY_QUEUE`, `MIXPANEL_TOKEN` and `MIXRELAY_OTEL` of
these; where they send at once also `MIXPANEL_REGION`, `MIXPANEL_API_HOST`, `MIXRELAY_CA_FILE` and
`MIXRELAY_PROXY`; and their own:

| variable | `Tracker` | default | means |
| --- | --- | --- | --- |
"""

DASHBOARD = """
## The dashboard

The [dashboard](dashboard.md) reads `MIXRELAY_REDIS_URL`, `MIXRELAY_RQ_REDIS_URL`,
`MIXRELAY_QUEUE` and `MIXRELAY_PARTITIONS` of these, and its own:

| variable | `mixrelay dashboard` | default | means |
| --- | --- | --- | --- |
"""
SHORT = "| variable | default | means |\n| --- | --- | --- |\n"


def table() -> str:
    """All settings, for docs/configuration.md."""
    workers = [*options(Settings), *options(WorkerSettings)]
    return (
        WORKERS
        + "".join(_row(option, _flag(option)) for option in workers)
        + PRODUCERS
        + "".join(_row(option, f"{option.name}=") for option in (DISABLED, *options(QueueSettings)))
        + DASHBOARD
        + "".join(_row(option, _flag(option)) for option in options(DashboardSettings))
    )


def short_table() -> str:
    """What a deployment sets, for the README."""
    known = {option.variable: option for option in every_setting()}
    return SHORT + "".join(
        f"| `{name}` | {_default(known[name])} | {_means(known[name])} |\n" for name in DEPLOYED
    )


def every_setting() -> Iterator[Option]:
    """Each setting of workers, producers and the dashboard; some occur twice."""
    for settings in (Settings, WorkerSettings, QueueSettings, DashboardSettings):
        yield from options(settings)
    yield DISABLED


def _flag(option: Option) -> str:
    return f"--{option.name.replace('_', '-')}"


def written_table(page: str) -> str:
    """The table that a page holds between its marks."""
    found = MARKED.search(page)
    assert found, "the page has no <!-- settings … --> and <!-- /settings --> marks"
    return found.group().removeprefix(found.group(1)).removesuffix(found.group(2))


def _row(option: Option, argument: str) -> str:
    shown = "" if option.secret else f"`{argument}`"
    return f"| `{option.variable}` | {shown} | {_default(option)} | {_means(option)} |\n"


def _default(option: Option) -> str:
    if isinstance(option.default, bool):
        return "on" if option.default else "off"
    if isinstance(option.default, str):
        return f"`{option.default}`" if option.default else ""
    if option.name == "port":
        return f"`{option.default}`"
    number = f"{option.default:,}".removesuffix(".0")
    return number + UNITS.get(option.unit, "")


def _means(option: Option) -> str:
    choices = ", ".join(f"`{one}`" for one in option.choices)
    text = option.help + (f" One of {choices}." if choices else "")
    return text.replace("|", "\\|").replace("<", "&lt;")


def write() -> None:
    """Put the tables into their pages."""
    for page, made in ((CONFIGURATION, table()), (README, short_table())):
        page.write_text(_with(page.read_text(), made))


def _with(page: str, made: str) -> str:
    return MARKED.sub(lambda marks: marks[1] + made + marks[2], page)


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    else:
        sys.stdout.write(table())
