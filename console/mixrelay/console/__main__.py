"""`python -m mixrelay.console`, the same as the command `mixrelay`."""

from mixrelay.console.cli import main

main()
