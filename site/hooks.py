"""What MkDocs is told about this repository: papers beside docs/, the API's pages, the code.

No text is kept twice: the start page is the README, and papers outside of docs/ are read from where
they lie. Their links are turned to their places on the site.
"""

import os
import re
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / ".site-source"
PARTS = ("producer", "worker", "shared", "console", "sandbox")
PAPERS = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "deploy/README.md": "deploy.md",
    "tests/fuzz/README.md": "fuzzing.md",
}
"""Papers outside of docs/, and their pages."""
NOT_IN_THE_MENU = {"fuzzing.md"}
_NO_CODE = shutil.ignore_patterns("__pycache__", "static", "templates", "lua")
_LINK = re.compile(r"(?P<text>\[[^\]]*\])\((?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")

_API = {
    "tracker": (
        "Tracker",
        "What request handlers call. `from mixrelay import Tracker` is the same class.",
        ("producer.Tracker", "producer.Batch", "producer.people.People", "producer.groups.Groups"),
    ),
    "async": (
        "AsyncTracker",
        "The same for code that awaits.",
        ("producer.AsyncTracker", "producer.AsyncBatch"),
    ),
    "sinks": (
        "Sinks and consumers",
        "Where messages go: the queue, Mixpanel at once, or a function of your own.",
        (
            "producer.RedisSink",
            "producer.QueueSettings",
            "producer.Consumer",
            "producer.BufferedConsumer",
            "producer.Credentials",
            "producer.Counters",
            "producer.official",
            "producer.lookup",
        ),
    ),
    "errors": (
        "Errors",
        "A tracking call raises only for a caller's mistake; all others go to the error handler.",
        (
            "producer.ErrorHandler",
            "producer.MixrelayError",
            "producer.ConfigurationError",
            "producer.InvalidPropertyError",
            "producer.DeliveryError",
            "producer.BeforeSendError",
            "producer.ConnectionFailedError",
            "producer.NotDurableError",
            "producer.QueueFullError",
            "producer.QueueRefusedError",
            "producer.QueueUnavailableError",
            "producer.ServerError",
            "producer.SpoolError",
        ),
    ),
    "frameworks": (
        "Frameworks",
        "A tracker for each request; its calls are pushed at once after the response.",
        tuple(
            f"producer.integrations.{name}"
            for name in ("django", "fastapi", "flask", "starlette", "asgi", "wsgi")
        ),
    ),
    "testing": (
        "Testing",
        "What tests of an application use.",
        ("producer.testing", "console.testing", "sandbox.Sandbox", "sandbox.Options"),
    ),
    "servers": (
        "Workers and dashboard",
        "What runs beside the application, from Python.",
        (
            "worker.Worker",
            "worker.Job",
            "worker.WorkerSettings",
            "console.dashboard.app.create_app",
            "console.dashboard.wsgi.create_wsgi_app",
            "console.dashboard.options.DashboardSettings",
        ),
    ),
}
"""Pages of the API: title, a sentence, what they document, below `mixrelay`."""


def on_startup(**_: Any) -> None:
    """Lay the five source roots together, as a wheel does: the reader of code knows one root.

    Before the configuration is read, since what `paths` names must be there by then.
    """
    shutil.rmtree(SOURCE, ignore_errors=True)
    package = SOURCE / "mixrelay"
    package.mkdir(parents=True)
    for part in PARTS:
        shutil.copytree(ROOT / part / "mixrelay" / part, package / part, ignore=_NO_CODE)
    shutil.copy(ROOT / "producer" / "mixrelay" / "__init__.py", package)
    for folder in package.rglob("*/"):
        (folder / "__init__.py").touch()  # one without it is no package to the reader of code


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the papers beside docs/, the API's pages, and the style."""
    pages = {page: (ROOT / paper).read_text() for paper, page in PAPERS.items()}
    pages |= {f"reference/{name}.md": _reference(*told) for name, told in _API.items()}
    for page, text in pages.items():
        made = File.generated(config, page, content=text)
        if page in NOT_IN_THE_MENU:
            made.inclusion = InclusionLevel.NOT_IN_NAV
        files.append(made)
    style = (ROOT / "site" / "site.css").read_text()
    files.append(File.generated(config, "site.css", content=style))
    return files


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, **_: Any) -> str:
    """Turn links between papers to their places on the site."""
    place = page.file.src_uri
    origin = next((paper for paper, made in PAPERS.items() if made == place), f"docs/{place}")
    folder = PurePosixPath(origin).parent

    def turned(link: re.Match[str]) -> str:
        target = os.path.normpath(folder / link["path"])
        made = PAPERS.get(target) or PAPERS.get(f"{target}/README.md")
        if made is None and target.startswith("docs/"):
            made = target.removeprefix("docs/")
        if made is None or place.startswith("reference/"):
            return _elsewhere(link, target, config)
        here = os.path.relpath(made, PurePosixPath(place).parent)
        return f"{link['text']}({here}{link['anchor'] or ''})"

    return _LINK.sub(turned, markdown)


def on_post_build(**_: Any) -> None:
    """Take the source away again."""
    shutil.rmtree(SOURCE, ignore_errors=True)


def _elsewhere(link: re.Match[str], target: str, config: MkDocsConfig) -> str:
    """A file of the repository that is no page: a link into it, or its name without an address."""
    if not (ROOT / target).exists():
        return link[0]
    if config.repo_url:
        return f"{link['text']}({config.repo_url.rstrip('/')}/blob/main/{target})"
    return f"{link['text'].strip('[]')} (`{target}`)"


def _reference(title: str, told: str, names: tuple[str, ...]) -> str:
    blocks = "".join(f"\n::: mixrelay.{name}\n" for name in names)
    return f"# {title}\n\n{told}\n{blocks}"
