"""Dead letters as an inbox: a row for each cause, and one correction for all letters of it."""
