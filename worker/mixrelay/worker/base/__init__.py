"""Settings, logs, clocks, retries: what every other room of the worker stands on."""
