"""RQ's classes, narrowed to what mixrelay runs."""
