"""What can go wrong, as one tree.

MixrelayError
 ├─ ConfigurationError   a setting that cannot work; nothing was started
 ├─ MalformedTupleError  bytes that are no tuple (mixrelay.shared.tuples)
 └─ WrongKeyType         a key of the queue holds something foreign
     └─ ForeignValue     it is of the right type, and what it says is none of ours
"""


class MixrelayError(Exception):
    """Base of every error that mixrelay raises on purpose."""


class ConfigurationError(MixrelayError):
    """A setting that cannot work. The message names it and says what to set."""


class WrongKeyType(MixrelayError):
    """A key of the queue holds a value of another type. Nothing was changed.

    Another program writes to this key; rename one of them, or move the value away.
    """


class ForeignValue(WrongKeyType):
    """A key of the queue has the right type, and holds what mixrelay did not write."""
