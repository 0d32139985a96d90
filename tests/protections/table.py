"""Every protection there is, by where it lies."""

from tests.protections.in_cluster import IN_CLUSTER
from tests.protections.in_merged import IN_MERGED
from tests.protections.in_mixpanel import IN_MIXPANEL
from tests.protections.in_producer import IN_PRODUCER
from tests.protections.in_queue import IN_QUEUE
from tests.protections.in_requests import IN_REQUESTS
from tests.protections.in_worker import IN_WORKER

PROTECTIONS = (
    *IN_QUEUE,
    *IN_MERGED,
    *IN_WORKER,
    *IN_MIXPANEL,
    *IN_PRODUCER,
    *IN_REQUESTS,
    *IN_CLUSTER,
)
