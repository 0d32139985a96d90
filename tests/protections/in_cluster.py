"""What a client of a cluster does when slots move, answers are lost and masters die."""

from tests.protections.protection import Protection

_CONNECTION = "shared/mixrelay/shared/connection"
_PROOF = "integration/redis_kinds/test_cluster_connection.py"

IN_CLUSTER = (
    Protection(
        name="only what was refused is sent to a cluster again",
        against="a command whose answer was lost is carried out twice, unseen",
        file=f"{_CONNECTION}/nodes.py",
        old="            except REFUSALS as refusal:\n",
        new="            except (*REFUSALS, RedisConnectionError) as refusal:\n",
        proof=_PROOF,
        test="test_a_command_whose_answer_was_lost_is_not_repeated",
    ),
    Protection(
        name="a node that failed is asked about",
        against="after a failover every command goes to the dead master for ever",
        file=f"{_CONNECTION}/topology.py",
        old="        self._suspects.add(place)\n",
        new="",
        proof=_PROOF,
        test="test_after_a_failover_the_next_command_finds_the_new_master",
    ),
    Protection(
        name="ASKING",
        against="while a slot moves, commands fail whose key has moved already",
        file=f"{_CONNECTION}/nodes.py",
        old="""            connection.send_command("ASKING")
            connection.read_response()
""",
        new="            pass\n",
        proof=_PROOF,
        test="test_while_a_slot_moves_each_key_is_found_where_it_is",
    ),
    Protection(
        name="a map of its own after a fork",
        against="a child waits for ever for a lock that a thread of its parent's held",
        file=f"{_CONNECTION}/topology.py",
        old="        if self._pid != os.getpid():\n",
        new="        if False:\n",
        proof=_PROOF,
        test="test_a_child_of_a_process_that_was_asking_for_slots_is_not_locked_out",
    ),
    Protection(
        name="little time for each node that is asked for slots",
        against="one node that hangs holds up all commands, each for the whole timeout",
        file=f"{_CONNECTION}/topology.py",
        old="ASK_SECONDS = 1.0\n",
        new="ASK_SECONDS = 30.0\n",
        proof=_PROOF,
        test="test_one_node_that_hangs_holds_up_nobody_who_asks_for_slots",
    ),
    Protection(
        name="threads that ask for slots share an answer",
        against="behind nodes that hang each thread waits for all that came before it",
        file=f"{_CONNECTION}/topology.py",
        old="        if self._askings == askings:\n",
        new="        if True:\n",
        proof="unit/shared/test_connection_topology.py",
        test="test_threads_that_wait_for_nodes_that_hang_wait_together",
    ),
    Protection(
        name="a node that left the cluster",
        against="it is believed that no node serves any slot",
        file=f"{_CONNECTION}/topology.py",
        old="                if told.masters():\n",
        new="                if True:\n",
        proof="unit/shared/test_connection_topology.py",
        test="test_a_node_that_left_the_cluster_is_not_believed",
    ),
)
