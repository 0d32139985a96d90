"""`mixrelay doctor`: what stands in the way of a message, and what to do about it."""
