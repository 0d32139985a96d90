"""Brings a record from its call to the sink, alone or in a batch, and reports what failed."""
