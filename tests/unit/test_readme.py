"""What the README and the guides claim that code can check."""

import re
import tomllib

import pytest
from typer.main import get_command

from mixrelay.console.app import command_line
from mixrelay.shared.mixpanel.reasons import Reason
from tests.support.settings_table import (
    CONFIGURATION,
    DEPLOYED,
    README,
    every_setting,
    short_table,
    table,
    written_table,
)

ROOT = README.parent
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
SITE = ROOT / "mkdocs.yml"
PAPERS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]
GUIDES = sorted(path.name for path in ROOT.glob("docs/*.md"))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
CALLED = re.compile(r"^(?:[A-Z_]+=\S+ )*mixrelay ((?:[a-z][a-z-]* ?)*)(.*)$", re.MULTILINE)
OPTION = re.compile(r"(?<!\S)--[a-z-]+")


MOST_WORDS_OF_THE_README = 700
HINT = "run: python -m tests.support.settings_table --write"


def test_the_configuration_page_has_every_setting_as_the_code_has_it():
    assert written_table(CONFIGURATION.read_text()) == table(), HINT


def test_the_readme_has_the_settings_of_a_deployment_and_no_others():
    readme = README.read_text()
    assert written_table(readme) == short_table(), HINT
    named = {option.variable for option in every_setting()}
    used_by_the_quickstart = {"MIXPANEL_API_HOST"}
    assert set(re.findall(r"MIX[A-Z]+_[A-Z_]+", readme)) & named == (
        set(DEPLOYED) | used_by_the_quickstart
    )


def test_the_readme_is_read_in_three_minutes():
    assert len(README.read_text().split()) <= MOST_WORDS_OF_THE_README


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(paper):
    broken = []
    for link in LINK.findall(FENCE.sub("", paper.read_text())):
        path, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        target = (paper.parent / path).resolve() if path else paper
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def anchors(paper):
    """What GitHub makes of a paper's headings."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", paper.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("guide", GUIDES)
def test_every_guide_is_linked_from_the_readme_or_for_maintainers_from_contributing(guide):
    papers = README.read_text() + CONTRIBUTING.read_text()
    assert re.search(rf"\(docs/{guide}[#)]", papers)
    assert f" {guide}\n" in SITE.read_text(), "mkdocs.yml's nav"


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_every_command_that_is_printed_exists_with_its_options(paper):
    for fence in FENCE.findall(paper.read_text()):
        for words, rest in CALLED.findall(fence):
            known = options_of(words.split(), paper.name)
            assert set(OPTION.findall(rest.partition("#")[0])) <= known, f"mixrelay {words}{rest}"


def options_of(words, paper):
    """The options of a command given as words; fails where there is none."""
    command = get_command(command_line())
    for word in words:
        if not hasattr(command, "commands"):
            break  # an argument
        assert word in command.commands, f"{paper}: mixrelay {' '.join(words)}"
        command = command.commands[word]
    named = {"--help", "--version"}
    for parameter in command.params:
        named |= {*parameter.opts, *parameter.secondary_opts}
    return named


def test_the_extras_that_can_be_installed_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {
        extra
        for paper in PAPERS
        for listed in re.findall(r"mixrelay\[([a-z,]+)\]", paper.read_text())
        for extra in listed.split(",")
    }
    assert named <= set(project["optional-dependencies"])
    assert named


def test_the_operators_guide_has_every_reason_of_dead_letters():
    guide = (ROOT / "docs/operate.md").read_text()
    assert [one.value for one in Reason if f"\n| `{one.value}` | " not in guide] == []


@pytest.mark.parametrize("path", re.findall(r"tests/[\w/]+\.py", CONTRIBUTING.read_text()))
def test_every_test_that_contributing_names_is_there(path):
    assert (ROOT / path).exists()


def test_no_paper_speaks_of_this_machine():
    told = [
        path.name for path in PAPERS if re.search(r"/work/|/tmp/|\.\./shared", path.read_text())
    ]
    assert told == []
