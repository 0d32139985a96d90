"""Workers, and fleets, that fail at one moment do not come back at one moment."""

from tests.support.works import Works, event, update


def test_a_pause_is_longer_than_its_backoff_by_chance(works: Works) -> None:
    """From 2 s on, plus 1 to 5 s (Mixpanel: 429 Rate Limit Exceeded); here times ten."""
    works.push(event("a"), update("p", **{"$set": {"x": 1}}))
    works.box.fault("status", status=503)
    works.drain_while(lambda: len(works.books.paused) < 2, backoff_base=20.0, backoff_cap=60.0)
    first, second = (pause.seconds for pause in works.books.paused)
    assert 25 < min(first, second) < max(first, second) <= 70
    assert abs(first - second) > 0.001
