"""Messages on their way: batches, their settlement, what waits, and what is taken out."""
