"""Every input that fuzzing kept, and every bomb, through its target; no fuzzer is needed."""

from __future__ import annotations

import time

import pytest

from tests.fuzz.bombs import PAYLOADS
from tests.fuzz.reducing import reduce
from tests.fuzz.registry import CORPUS, TARGETS
from tests.fuzz.run import KEPT_AT_MOST
from tests.fuzz.seeds import seeds
from tests.support.patience import patient

SECONDS_OF_A_BOMB = 5.0
"""Of processor time; the heaviest takes two. Growth faster than the input would be minutes."""


@pytest.mark.parametrize("target", TARGETS)
def test_every_kept_input_holds_what_its_target_promises(target):
    inputs = sorted((CORPUS / target).iterdir())
    assert 0 < len(inputs) <= KEPT_AT_MOST
    for path in inputs:
        try:
            TARGETS[target](path.read_bytes())
        except BaseException as error:
            error.add_note(f"the input is {path}")
            raise


@pytest.mark.parametrize("target", TARGETS)
def test_every_seed_holds_what_its_target_promises(target):
    made = list(seeds(target))
    assert made
    for seed in made:
        TARGETS[target](seed)


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_bomb_is_read_or_refused_in_bounded_time(name):
    payload = PAYLOADS[name]
    began = time.process_time()
    TARGETS["tuples"](payload)
    assert time.process_time() - began < patient(SECONDS_OF_A_BOMB)


@pytest.mark.parametrize("name", PAYLOADS)
@pytest.mark.parametrize("target", ["jsontext", "times", "waits", "logs"])
def test_a_bomb_does_no_harm_to_other_readers(target, name):
    began = time.process_time()
    TARGETS[target](PAYLOADS[name][:200_000])
    assert time.process_time() - began < patient(SECONDS_OF_A_BOMB)


def test_a_corpus_is_reduced_to_what_reaches_something_new(tmp_path):
    found, kept = tmp_path / "found", tmp_path / "kept"
    for folder in (found, kept):
        folder.mkdir()
    (found / "seconds").write_bytes(b"7")
    (found / "more of them").write_bytes(b"77")
    (found / "a date").write_bytes(b"Wed, 21 Oct 2026 07:28:00 GMT")
    reduce("waits", [found, kept], kept, at_most=10)
    assert sorted(path.read_bytes() for path in kept.iterdir()) == [
        b"7",
        b"Wed, 21 Oct 2026 07:28:00 GMT",
    ]
