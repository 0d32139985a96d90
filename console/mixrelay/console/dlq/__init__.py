"""The dead letters: looking at them, and deciding."""
