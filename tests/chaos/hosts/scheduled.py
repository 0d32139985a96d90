"""A process of APScheduler: each line of its input is a job that is due at once."""

import sys

from apscheduler.schedulers.background import BackgroundScheduler

from tests.chaos.hosts.work import work

if __name__ == "__main__":
    scheduler = BackgroundScheduler(job_defaults={"misfire_grace_time": None})
    scheduler.start()
    for line in sys.stdin:
        scheduler.add_job(work, args=[int(line)])
    scheduler.shutdown()  # waits for what is due
