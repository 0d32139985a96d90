"""Names of a queue's keys. Nothing outside this package knows one."""

from dataclasses import dataclass

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.reading import HASH_TAG
from mixrelay.shared.variables import MOST_PARTITIONS


@dataclass(frozen=True, slots=True)
class Keys:
    """The list `queue` and the root that all other keys of it start with.

    All keys of a queue hash to one slot of a cluster, by the part in braces (Redis: Cluster
    specification, hash tags). A name that has such a part keeps it.

    Raises:
        ConfigurationError: the name is empty, or has a `}` that makes no tag.
    """

    queue: str
    root: str

    @classmethod
    def of(cls, queue: str) -> "Keys":
        if not queue:
            raise ConfigurationError(
                "The queue's name is empty; set MIXRELAY_QUEUE to a list's name."
            )
        if "}" not in queue:
            return cls(queue, f"{{{queue}}}")
        # Redis hashes what stands between the first brace and the first closing one after it.
        tagged = HASH_TAG.search(queue)
        if tagged is None or queue.index("{") != tagged.start():
            raise ConfigurationError(
                f"The queue's name {queue!r} has a brace but no hash tag such as 'name' in "
                "'{name}:events', so its keys could not share a cluster slot; choose another name."
            )
        return cls(queue, queue)

    @property
    def declared(self) -> tuple[str, str, str]:
        """What every script declares: the list, the root, and a key that never is.

        While a slot moves between nodes of a cluster its keys are on both. With one key missing
        and another there, or all, a node refuses the whole script (TRYAGAIN) before it begins; so
        none runs halfway into a key that is elsewhere (Redis: Cluster specification, ASK).
        """
        return self.queue, self.root, self("nowhere")

    def __call__(self, name: str) -> str:
        return f"{self.root}:{name}"


def partition_name(queue: str, partition: int) -> str:
    """The list of a partition: `Q`, `Q.1`, `Q.2` and so on.

    Raises:
        ConfigurationError: the name has a hash tag, so all its partitions would share a slot; or
            so many partitions cannot be.
    """
    if partition == 0:
        return queue
    if partition >= MOST_PARTITIONS:
        raise ConfigurationError(
            f"MIXRELAY_PARTITIONS is {partition + 1}; set it to a whole number, "
            f"1 to {MOST_PARTITIONS}."
        )
    if "}" in queue:
        raise ConfigurationError(
            f"The queue's name {queue!r} has a hash tag, so its partitions would all lie on one "
            "node; set MIXRELAY_PARTITIONS to 1 or choose a name without braces."
        )
    return f"{queue}.{partition}"
