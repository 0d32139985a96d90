"""Celery's application."""

import os

from celery import Celery

from tests.chaos.hosts.work import work

celery_app = Celery("hosts", broker=os.environ.get("CELERY_BROKER_URL", "memory://"))
celery_app.conf.broker_connection_retry_on_startup = True


@celery_app.task(name="hosts.load")
def load(n):
    work(n)
