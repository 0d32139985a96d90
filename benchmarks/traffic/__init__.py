"""Eight kinds of traffic, as real clients make them: what each costs us, beside the full floor."""
