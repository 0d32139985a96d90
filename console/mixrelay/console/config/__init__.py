"""`mixrelay config`: the settings that a part would run with, and where each comes from."""
