"""Groups of options that several commands share, each a dataclass."""

import functools
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Annotated, Any, get_type_hints

import typer
from redis import Redis
from redis.exceptions import RedisError

from mixrelay.console.failures import explain_redis
from mixrelay.shared.connection import connect
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.options import FLAG, Choice, Option, named_as, named_option, options
from mixrelay.shared.queue import Queue
from mixrelay.shared.settings import Settings


def flat(command: Callable[..., None]) -> Callable[..., None]:
    """Lets a command take dataclasses: each of their fields becomes an option of its own."""
    parameters = inspect.signature(command, eval_str=True).parameters
    groups: dict[str, Any] = {
        name: parameter.annotation
        for name, parameter in parameters.items()
        if is_dataclass(parameter.annotation)
    }

    @functools.wraps(command)
    def called(**values: Any) -> None:
        made = {
            name: group(**{field.name: values.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**made, **values)

    flattened = [
        option
        for name, parameter in parameters.items()
        for option in (_options(groups[name]) if name in groups else [_keyword(parameter)])
    ]
    called.__signature__ = inspect.Signature(flattened)  # type: ignore[attr-defined]
    called.__annotations__ = {option.name: option.annotation for option in flattened}
    return called


def _keyword(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def _options(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(field),
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


_TABLE = {told.name: told for told in options(Settings)}


def from_table(name: str, metavar: str) -> Any:
    """The option for a setting that all parts share. As `of_option`."""
    return of_option(_TABLE[name], metavar)


def of_option(told: Option, metavar: str) -> Any:
    """The option for a setting, with its variable and help.

    What is given is a text, read as a variable is; every other default stands for "not given".
    """

    def read(value: Any) -> Any:
        choice = told.choose(os.environ, value if isinstance(value, str) else None, FLAG)
        if told.name.endswith("redis_url") and choice.origin:
            check_address(choice)
        return choice.value

    default = f"; default: {told.default}" if told.default != "" else ""
    return typer.Option(
        metavar=metavar,
        parser=as_given,
        callback=read,
        help=f"{told.help} [env var: {told.variable}{default}]",
        show_default=False,
    )


def as_given(value: Any) -> Any:
    """What stands on the command line, unread."""
    return value


def check_address(choice: Choice) -> None:
    """Raise ConfigurationError where no client of Redis can be made of what a user wrote."""
    try:
        connect(choice.value).close()
    except ConfigurationError as error:
        raise named_as(error, {_TABLE["redis_url"].variable: choice.origin}) from None


def number(
    name: str, text: str, *, least: float, metavar: str = "N", most: float | None = None
) -> Any:
    """An option for a number that no variable stands for, with the bounds that it is read by."""
    told = named_option(name, 0.0, f"--{name}", text, minimum=least, maximum=most)
    return typer.Option(metavar=metavar, parser=told.read, help=text)


@dataclass(frozen=True, slots=True)
class Where:
    """Which queue, on which server."""

    redis_url: Annotated[str, from_table("redis_url", "URL")] = ""
    queue: Annotated[str, from_table("queue", "NAME")] = ""
    partitions: Annotated[int, from_table("partitions", "N")] = 0

    @contextmanager
    def open(self) -> Iterator[Queue]:
        """The queue, with the partitions that workers have noted.

        Raises:
            CommandError: Redis is away or refused.
            ConfigurationError: the address or the name cannot be used.
        """
        with connected(self.redis_url) as redis:
            queue = Queue(redis, self.queue, partitions=self.partitions)
            queue.refresh()
            yield queue


@contextmanager
def connected(url: str) -> Iterator[Redis]:
    """A client of Redis whose errors become a message and an exit code.

    Raises:
        CommandError: Redis is away or refused.
        ConfigurationError: the address cannot be read.
    """
    redis = connect(url)
    try:
        yield redis
    except RedisError as error:
        raise explain_redis(error, url) from error
    finally:
        redis.close()
