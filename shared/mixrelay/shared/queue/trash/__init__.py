"""The trash: letters that an operator discarded, kept for a time, restored by one command."""
