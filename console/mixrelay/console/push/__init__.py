"""A log of tuples, put into the queue so that nothing is there twice."""
