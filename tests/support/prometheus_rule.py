"""The PrometheusRule of deploy/kubernetes, made of the rules of deploy/prometheus.

python -m tests.support.prometheus_rule --write
"""

import sys
from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus/mixrelay.rules.yml"
OBJECT = DEPLOY / "kubernetes/components/prometheus/prometheusrule.yaml"
_SPEC = "spec:\n"


def made() -> str:
    """The object with the rules as they stand."""
    head = OBJECT.read_text().partition(_SPEC)[0]
    rules = RULES.read_text()
    lines = rules[rules.index("groups:") :].rstrip("\n").split("\n")
    return head + _SPEC + "".join(f"  {line}\n" if line else "\n" for line in lines)


if __name__ == "__main__" and "--write" in sys.argv:
    OBJECT.write_text(made())
