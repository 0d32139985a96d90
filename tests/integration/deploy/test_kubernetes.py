"""The objects for Kubernetes: built by kustomize, and taken by Kubernetes' own schemas."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from mixrelay.worker.base.settings import WorkerSettings
from tests.support import prometheus_rule
from tests.support.processes import finished

FOLDER = Path(__file__).parents[3] / "deploy/kubernetes"
OTHERS = {"PodMonitor", "PrometheusRule", "ScaledObject"}
"""Of operators: their schemas are not in Kubernetes."""
METRIC = re.compile(r"\bmixrelay_[a-z_]+\b")


@cache
def built() -> tuple[dict[str, Any], ...]:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed; .ci/run installs it")
    made = finished(
        ["kubectl", "kustomize", str(FOLDER / "example")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=60,
        check=True,
        text=True,
    )
    return tuple(yaml.safe_load_all(made.stdout))


def files() -> list[Path]:
    return [one for one in sorted(FOLDER.rglob("*.yaml")) if "kustomization" not in one.name]


@pytest.mark.parametrize("file", files(), ids=lambda one: one.name)
def test_kubernetes_takes_each_object(file: Path) -> None:
    for one in yaml.safe_load_all(file.read_text()):
        if "kind" in one and one["kind"] not in OTHERS:
            kubernetes_validate.validate(one, "1.30", strict=True)


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in built() if one["kind"] == kind]


def pods() -> dict[str, dict[str, Any]]:
    deployments = of_kind("Deployment")
    return {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in deployments}


def test_pods_are_no_root_and_write_nothing_but_their_own_memory() -> None:
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["automountServiceAccountToken"] is False, name
        # MIXRELAY_DASHBOARD_PORT=tcp://... would be the dashboard's port.
        assert pod["enableServiceLinks"] is False, name
        assert [volume.get("emptyDir", {}).get("medium") for volume in pod["volumes"]] == ["Memory"]
        [container] = pod["containers"]
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True, name
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
        assert "memory" in container["resources"]["limits"], name
        assert container["image"].startswith("registry.example.com/mixrelay"), name


def test_workers_end_gracefully_and_their_probe_is_of_themselves() -> None:
    pod = pods()["mixrelay-worker"]
    assert pod["terminationGracePeriodSeconds"] > WorkerSettings().grace
    [worker] = pod["containers"]
    file = next(one["value"] for one in worker["env"] if one["name"] == "MIXRELAY_HEALTH_FILE")
    assert file in worker["livenessProbe"]["exec"]["command"][-1]
    [budget] = of_kind("PodDisruptionBudget")
    assert budget["spec"]["selector"]["matchLabels"] == {"app": "mixrelay", "part": "worker"}


def test_the_page_stays_where_it_is_when_redis_is_away() -> None:
    [page] = pods()["mixrelay-dashboard"]["containers"]
    for probe in ("livenessProbe", "readinessProbe"):
        assert page[probe]["httpGet"] == {"path": "/healthz", "port": "http"}


def test_secrets_are_apart_and_every_reference_finds_its_own() -> None:
    text = "\n".join(one.read_text() for one in (FOLDER / "base").glob("*.yaml"))
    assert "kind: Secret" not in text
    there = {one["metadata"]["name"] for one in of_kind("Secret")}
    asked = set()
    for pod in pods().values():
        for container in pod["containers"]:
            asked |= {one["secretRef"]["name"] for one in container.get("envFrom", [])}
            values = (one.get("valueFrom", {}) for one in container.get("env", []))
            asked |= {one["secretKeyRef"]["name"] for one in values if one}
    [monitor] = of_kind("PodMonitor")
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    asked.add(endpoint["authorization"]["credentials"]["name"])
    assert asked == there


def test_the_monitor_asks_a_port_that_the_policy_lets_it_reach() -> None:
    [monitor] = of_kind("PodMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"]
    [page] = [one for one in of_kind("Deployment") if one["metadata"]["name"].endswith("dashboard")]
    labels = page["spec"]["template"]["metadata"]["labels"]
    assert wanted.items() <= labels.items()
    [container] = page["spec"]["template"]["spec"]["containers"]
    ports = {one["name"] for one in container["ports"]}
    assert monitor["spec"]["podMetricsEndpoints"][0]["port"] in ports
    [policy] = [one for one in of_kind("NetworkPolicy") if one["spec"].get("ingress")]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["spec"]["ingress"][0]["ports"][0]["port"] in ports
    assert any("namespaceSelector" in one for one in policy["spec"]["ingress"][0]["from"])


def test_workers_are_scaled_by_what_is_ready(exposition: str) -> None:
    [scaled] = of_kind("ScaledObject")
    [trigger] = scaled["spec"]["triggers"]
    [metric] = METRIC.findall(trigger["metadata"]["query"])
    assert metric == "mixrelay_ready_message_age_seconds"
    assert f"# HELP {metric} " in exposition
    assert scaled["spec"]["scaleTargetRef"]["name"] in pods()
    assert scaled["spec"]["minReplicaCount"] >= 2


def test_the_operators_rules_are_the_rules() -> None:
    assert prometheus_rule.OBJECT.read_text() == prometheus_rule.made(), (
        "python -m tests.support.prometheus_rule --write"
    )
    [rule] = of_kind("PrometheusRule")
    rules = yaml.safe_load(prometheus_rule.RULES.read_text())
    assert rule["spec"] == rules
