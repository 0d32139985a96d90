"""The producer's tests with each redis-py that mixrelay runs with: `make compat`.

Each is installed beside the environment's packages, into a folder that comes first on the path.
"""

import os
import sys
from pathlib import Path

from tests.support.processes import finished

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".compat"
SECONDS = 900.0
"""For the tests with one version; a minute as a rule."""

VERSIONS = {
    "5.2": "redis==5.2.0",  # the oldest that pyproject.toml declares
    "5": "redis>=5.3,<6",  # what Celery 5.4 has
    "6": "redis>=6,<7",
    "7": "redis>=7,<8",
    "newest": "redis>=8",
}

SMOKE = (
    "tests/unit/producer",
    "tests/unit/shared/test_connection.py",
    "tests/unit/shared/test_connection_topology.py",
    "tests/integration/producer/test_connections.py",
    "tests/integration/producer/test_maintenance.py",
    "tests/integration/producer/test_odd_moments.py",
    "tests/integration/producer/test_own_client.py",
    "tests/integration/producer/test_redis_sink.py",
    "tests/integration/producer/test_outage.py",
    "tests/integration/frameworks/test_async_sink.py",
    "tests/integration/frameworks/test_async_tracker.py",
    "tests/integration/fake/test_whole_road.py",
    "tests/integration/redis_kinds/test_ways.py",
)


def run(command: list[str], **more: str) -> int:
    return finished(command, cwd=ROOT, env=os.environ | more, timeout=SECONDS).returncode


def main(names: list[str]) -> int:
    """Run the tests with each version, or with those that are named; 1 where one fails."""
    results = {}
    for name in names or VERSIONS:
        folder = FOLDER / name
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if not folder.exists() and run([*pip, "--target", str(folder), VERSIONS[name]]):
            results[name] = "could not be installed"
            continue
        print(f"--- {VERSIONS[name]}", flush=True)
        tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SMOKE]
        status = run(tests, PYTHONPATH=str(folder))
        results[name] = "failed" if status else "passed"
    for name, result in results.items():
        print(f"{VERSIONS[name]}: {result}")
    return int(set(results.values()) != {"passed"})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
