"""What deploy/ holds is taken by the tools that will read it."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.support.processes import finished

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
NAME = re.compile(r"\bmixrelay_[a-z_]+\b")


def run(*command, cwd=ROOT, given=None):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed; .ci/run installs it")
    return finished(
        command, cwd=cwd, input=given, capture_output=True, text=True, check=False, timeout=60
    )


def test_promtool_takes_the_metrics(exposition):
    checked = run("promtool", "check", "metrics", given=exposition)

    assert checked.returncode == 0, checked.stderr + checked.stdout
    assert not checked.stderr, checked.stderr


def test_promtool_takes_the_rules():
    checked = run("promtool", "check", "rules", "mixrelay.rules.yml", cwd=DEPLOY / "prometheus")

    assert checked.returncode == 0, checked.stderr


def test_each_alert_fires_when_it_should_and_not_before():
    rules = yaml.safe_load((DEPLOY / "prometheus/mixrelay.rules.yml").read_text())
    tests = (DEPLOY / "prometheus/mixrelay.rules.test.yml").read_text()
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}

    tested = run("promtool", "test", "rules", "mixrelay.rules.test.yml", cwd=DEPLOY / "prometheus")

    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert alerts == set(re.findall(r"alertname: (\w+)", tests))


@pytest.mark.parametrize("file", ["prometheus/mixrelay.rules.yml", "grafana/mixrelay.json"])
def test_only_metrics_that_exist_are_asked_for(exposition, file):
    there = set(NAME.findall(exposition))

    asked = set(NAME.findall((DEPLOY / file).read_text()))

    assert asked <= there | {"mixrelay_concurrency_limit"}, asked - there
    assert len(asked) >= 8


def test_the_grafana_dashboard_has_no_overlapping_panels():
    panels = json.loads((DEPLOY / "grafana/mixrelay.json").read_text())["panels"]
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


@pytest.mark.parametrize(
    "unit", sorted((DEPLOY / "systemd").glob("*.service")), ids=lambda u: u.name
)
def test_systemd_takes_the_units(unit, tmp_path):
    # It also looks for the program, which is not installed where the unit says.
    text = re.sub(r"ExecStart=\S+", f"ExecStart={shutil.which('true')}", unit.read_text())
    copied = tmp_path / unit.name
    copied.write_text(text)

    checked = run("systemd-analyze", "verify", str(copied))

    assert checked.returncode == 0, checked.stderr
    assert unit.name not in checked.stderr, checked.stderr

    hardened = run("systemd-analyze", "security", "--offline=true", "--threshold=30", str(copied))
    assert hardened.returncode == 0, hardened.stdout
    assert "RestartPreventExitStatus=2 5" in text, "wrong settings restart for ever"


def test_compose_takes_its_file():
    checked = run("docker-compose", "-f", str(ROOT / "docker-compose.yml"), "config", "--quiet")

    assert checked.returncode == 0, checked.stderr
