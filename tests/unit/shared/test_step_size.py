"""A step is as large as the server does within a few milliseconds, wherever the server is."""

from mixrelay.shared.queue.base.step_size import StepSize


class World:
    """A server that takes so long for each member, at the end of a way of so many seconds."""

    def __init__(self, *, each: float, way: float = 0.0001) -> None:
        self.each, self.way, self.now = each, way, 0.0

    def clock(self) -> float:
        return self.now

    def ask(self) -> None:
        self.now += self.way

    def step(self, size: StepSize) -> float:
        """Seconds for which the server served nobody else."""
        held = size.size * self.each
        size.note(size.size, held + self.way, self.ask)
        return held


def test_a_slow_server_gets_small_steps_and_a_quick_one_large_ones() -> None:
    world = World(each=0.0005)
    size = StepSize(100, 4, world.clock)
    held = [world.step(size) for _ in range(20)]
    assert held[0] == 0.05
    assert max(held[3:]) <= 0.0055
    world.each = 0.00001
    for _ in range(20):
        world.step(size)
    assert size.size == 100


def test_a_long_way_makes_no_step_small() -> None:
    world = World(each=0.00002, way=0.2)
    size = StepSize(100, 4, world.clock)
    for _ in range(20):
        world.step(size)
    assert size.size == 100


def test_no_step_is_smaller_than_its_least() -> None:
    world = World(each=1.0)
    size = StepSize(100, 4, world.clock)
    for _ in range(20):
        world.step(size)
    assert size.size == 4


def test_a_small_step_that_was_held_up_makes_no_other_small() -> None:
    size = StepSize(100, 4)
    size.note(3, 1.0, lambda: None)
    assert size.size == 100
