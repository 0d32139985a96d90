"""All targets by name. Each takes any bytes and raises where what it promises does not hold."""

from collections.abc import Callable
from pathlib import Path

from tests.fuzz.targets.answers import answers, waits
from tests.fuzz.targets.delivery import delivery
from tests.fuzz.targets.forms import fields, forms
from tests.fuzz.targets.logs import logs
from tests.fuzz.targets.producing import producer
from tests.fuzz.targets.reading import jsontext, tuples
from tests.fuzz.targets.records import records, times
from tests.fuzz.targets.stored import stored

CORPUS = Path(__file__).parent / "corpus"

TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        *(tuples, forms, jsontext, records, fields, times),
        *(answers, waits, delivery, stored, producer, logs),
    )
}
