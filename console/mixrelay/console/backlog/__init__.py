"""Looking into what waits, dropping of it, and erasing a person."""
