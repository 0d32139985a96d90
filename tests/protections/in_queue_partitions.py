"""What keeps a queue of several partitions one queue."""

from tests.protections.protection import LUA, QUEUE, Protection

_GATES = "integration/queue/test_partition_gates.py"
_FAULTS = "integration/queue/test_partition_faults.py"
_AWAY = "integration/queue/test_partitions_away.py"
_GROW = "integration/queue/test_partitions_grow.py"

_ONE_FLEET = (
    Protection(
        name="copies of the gates",
        against="each partition finds out about an outage by itself",
        file=f"{LUA}/reserve.lua",
        old='local wrong = gates ~= "" and mirror(gates)',
        new="local wrong",
        proof=_GATES,
        test="test_a_failure_in_one_partition_pauses_the_destination_in_all",
    ),
    Protection(
        name="reports",
        against="what one partition's batches find out is never told to the others",
        file=f"{LUA}/settle.lua",
        old="news = plan.tells and {}",
        new="news = nil",
        proof=_GATES,
        test="test_the_probes_acceptance_opens_the_gates_of_all",
    ),
    Protection(
        name="the probe is claimed",
        against="each partition sends a probe of its own",
        file=f"{QUEUE}/partitions/reserves.py",
        old="        if wait is None:\n            return leased",
        new="        if True:\n            return leased",
        proof=_FAULTS,
        test="test_two_that_would_probe_at_once_are_one",
    ),
    Protection(
        name="a claim names its partition",
        against="two batches of one worker have one name, and one of them is forgotten",
        file=f"{QUEUE}/partitions/reserves.py",
        old='f"{claim}.{one.index}" if one.index else claim',
        new="claim",
        proof=_GATES,
        test="test_the_claims_of_two_partitions_never_name_two_batches_alike",
    ),
    Protection(
        name="a report is made once",
        against="a report whose reply was lost doubles the backoff of the fleet",
        file=f"{LUA}/report.lua",
        old="if answered(op) then return 0 end",
        new="",
        proof=_FAULTS,
        test="test_a_failure_means_the_same_whatever_reply_is_lost",
    ),
    Protection(
        name="a pace counts all partitions",
        against="after an outage each partition sends as much as the whole fleet may",
        file=f"{LUA}/_paces.lua",
        old="(leased()[name] or 0) + (leased_elsewhere[name] or 0)",
        new="(leased()[name] or 0)",
        proof=_GATES,
        test="test_slow_start_counts_the_batches_of_all",
    ),
    Protection(
        name="a pause waits for all partitions",
        against="an outage is forgotten while batches wait for its end",
        file=f"{LUA}/reap.lua",
        old="not (waits_elsewhere[lane] or waits(lane))",
        new="not waits(lane)",
        proof=_GATES,
        test="test_a_pause_does_not_end_while_another_partitions_batches_wait_behind_it",
    ),
    Protection(
        name="others passed in other partitions",
        against="one bad batch stops the whole fleet again and again",
        file=f"{LUA}/settle.lua",
        old="if plan.passed and seen then",
        new="if false then",
        proof=_GATES,
        test="test_a_batch_that_fails_alone_pauses_nothing",
    ),
    Protection(
        name="a claimed probe is extended",
        against="a slow probe is followed by the herd of the other partitions",
        file=f"{QUEUE}/queue.py",
        old="                self._gates.extend(batch, lease_seconds)",
        new="                pass",
        proof=_GATES,
        test="test_a_probe_that_extends_its_lease_keeps_the_herd_away",
    ),
    Protection(
        name="a probe that went elsewhere goes on with nothing",
        against="a batch that was to probe holds a destination closed to which it does not go",
        file=f"{LUA}/probe.lua",
        old="if goes_on or closed > STEADY",
        new="if closed > STEADY",
        proof=_GATES,
        test="test_a_probe_that_went_elsewhere_claims_nothing_by_its_lease",
    ),
    Protection(
        name="a dead probe's claim is released",
        against="the death of a probe's worker holds all partitions up for its lease",
        file=f"{LUA}/reap.lua",
        old="news = is_mirror and {} or nil",
        new="news = nil",
        proof=_GATES,
        test="test_a_probe_that_ends_unsent_makes_room_for_another",
    ),
)

_MANY_NODES = (
    Protection(
        name="a node that is away is left out",
        against="one node that hangs stops the partitions of all",
        file=f"{QUEUE}/partitions/turns.py",
        old="asked = [index for index in order if not self.is_left_alone(index)] or order",
        new="asked = order",
        proof=_AWAY,
        test="test_a_node_that_hangs_takes_time_once",
    ),
    Protection(
        name="reports are not insisted on for ever",
        against="without the first partition's node no worker of the fleet ends a batch",
        file=f"{QUEUE}/partitions/gates.py",
        old="if away > PATIENCE_SECONDS and self._partitions.is_left_alone(0):",
        new="if away < 0:",
        proof=_AWAY,
        test="test_without_the_first_node_each_partition_has_a_backoff_of_its_own",
    ),
    Protection(
        name="partitions are never forgotten",
        against="what lies in a partition that was given up is never sent",
        file=f"{LUA}/announce.lua",
        old="local partitions = math.max(tonumber(ARGV[1]), noted)",
        new="local partitions = tonumber(ARGV[1])",
        proof=_GROW,
        test="test_what_is_announced_only_grows",
    ),
    Protection(
        name="announced partitions are noticed",
        against="a worker that was started before leaves new partitions alone",
        file=f"{QUEUE}/queue.py",
        old="self._partitions.grow(self._gates.announce(len(self._partitions)))",
        new="self._gates.announce(len(self._partitions))",
        proof="integration/worker/test_partitions.py",
        test="test_a_worker_of_one_partition_drains_those_that_others_announce",
    ),
)

IN_PARTITIONS = (*_ONE_FLEET, *_MANY_NODES)
