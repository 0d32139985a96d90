"""Messages that are lists of records, cut and put into their places."""
