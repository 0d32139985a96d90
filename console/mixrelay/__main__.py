"""`python -m mixrelay`, the same as the command `mixrelay`."""

from mixrelay.console.cli import main

if __name__ == "__main__":
    main()
