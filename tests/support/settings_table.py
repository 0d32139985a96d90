"""The README's table of settings, made from the code: ``python -m tests.support.settings_table``.

With ``--write`` it is put into the README.
"""

import re
import sys
from pathlib import Path

from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.producer.options import QueueSettings
from mixrelay.shared.options import Option, options
from mixrelay.shared.settings import Settings
from mixrelay.shared.variables import DISABLED
from mixrelay.worker.settings import WorkerSettings

README = Path(__file__).parents[2] / "README.md"
MARKED = re.compile(r"(<!-- settings[^>]*-->\n).*?(<!-- /settings -->)", re.DOTALL)
UNITS = {"seconds": " s", "bytes": " bytes"}
"""Of the others the help speaks."""

WORKERS = "| variable | `mixrelay worker` | default | means |\n| --- | --- | --- | --- |\n"
PRODUCERS = """
Applications read `MIXRELAY_REDIS_URL`, `MIXRELAY_QUEUE`, `MIXPANEL_TOKEN` and `MIXRELAY_OTEL` of
these; where they send at once also `MIXPANEL_REGION`, `MIXPANEL_API_HOST`, `MIXRELAY_CA_FILE` and
`MIXRELAY_PROXY`; and their own:

| variable | `Tracker` | default | means |
| --- | --- | --- | --- |
"""

DASHBOARD = """
The [dashboard](docs/dashboard.md) reads `MIXRELAY_REDIS_URL`, `MIXRELAY_RQ_REDIS_URL`,
`MIXRELAY_QUEUE` and `MIXRELAY_PARTITIONS` of these, and its own:

| variable | `mixrelay dashboard` | default | means |
| --- | --- | --- | --- |
"""


def table() -> str:
    workers = [*options(Settings), *options(WorkerSettings)]
    return (
        WORKERS
        + "".join(_row(told, _flag(told)) for told in workers)
        + PRODUCERS
        + "".join(_row(told, f"{told.name}=") for told in (DISABLED, *options(QueueSettings)))
        + DASHBOARD
        + "".join(_row(told, _flag(told)) for told in options(DashboardSettings))
    )


def _flag(told: Option) -> str:
    return f"--{told.name.replace('_', '-')}"


def written_table(readme: str) -> str:
    found = MARKED.search(readme)
    assert found, "the README has no <!-- settings … --> and <!-- /settings --> marks"
    return found.group().removeprefix(found.group(1)).removesuffix(found.group(2))


def _row(told: Option, argument: str) -> str:
    shown = "" if told.secret else f"`{argument}`"
    return f"| `{told.variable}` | {shown} | {_default(told)} | {_means(told)} |\n"


def _default(told: Option) -> str:
    if isinstance(told.default, bool):
        return "on" if told.default else "off"
    if isinstance(told.default, str):
        return f"`{told.default}`" if told.default else ""
    if told.name == "port":
        return f"`{told.default}`"
    number = f"{told.default:,}".removesuffix(".0")
    return number + UNITS.get(told.unit, "")


def _means(told: Option) -> str:
    choices = f" One of {', '.join(f'`{one}`' for one in told.choices)}." if told.choices else ""
    return (told.help + choices).replace("|", "\\|").replace("<", "&lt;")


def write() -> None:
    """Put the table into the README."""
    README.write_text(MARKED.sub(lambda marks: marks[1] + table() + marks[2], README.read_text()))


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    else:
        sys.stdout.write(table())
