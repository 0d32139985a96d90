"""Names of keys, the scripts' loader, ids, clocks: what every other room of the queue stands on."""
