"""What the fleet knows of project tokens."""
