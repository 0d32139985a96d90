"""Celery, prefork: each task's messages go to the queue together, when it ends.

python examples/run.py celery      # with a Valkey, a worker and the sandbox
celery --workdir examples --app celery_app worker
python examples/celery_app.py ann  # puts a task into Celery's queue
"""

import os
import sys

from celery import Celery

from mixrelay.producer import Tracker

# Celery's own queue is another database of the same Redis.
BROKER = os.environ.get("CELERY_BROKER_URL", "redis://localhost:6379/1")

app = Celery("celery_app", broker=BROKER)
app.conf.broker_connection_retry_on_startup = True
# Made before Celery forks: it connects at the first call, in each process anew.
tracker = Tracker()


@app.task
def upgrade(user: str) -> None:
    """Track three messages."""
    with tracker.batch():
        tracker.track(user, "Plan Upgraded", {"New Plan": "Premium"})
        tracker.people.set(user, {"Plan": "Premium"})
        tracker.people.plus_one(user, "Upgrades")


if __name__ == "__main__":
    upgrade.delay(*sys.argv[1:])
