"""A drain job: reserves batches, hands them to senders, keeps leases, maintains the queue."""
