"""What makes several partitions one queue to those who look."""

from tests.protections.protection import LUA, QUEUE, Protection

_LETTERS = "integration/queue/merged/test_merged_letters.py"
_JOBS = "integration/queue/merged/test_merged_jobs.py"
_CLOCKS = "chaos/test_clocks.py"
_FIGURES = "integration/queue/merged/test_merged_figures.py"
_LOADS = "integration/queue/merged/test_merged_loads.py"

IN_MERGED = (
    Protection(
        name="a merged slice ends where the first partition's does",
        against="letters between two partitions' slices are never seen",
        file=f"{QUEUE}/letters/paging.py",
        old="rows[: min(size, known)]",
        new="rows[:size]",
        proof=_LETTERS,
        test="test_pages_are_all_that_match_in_one_order_both_ways",
    ),
    Protection(
        name="two partitions' equal places in the trail",
        against="a page of the audit leaves an entry out",
        file=f"{QUEUE}/merged/audit.py",
        old="or_at=bool(holder) and one.index < int(holder)",
        new="or_at=False",
        proof=_FIGURES,
        test="test_the_trail_is_paged_without_a_gap_or_a_repetition",
    ),
    Protection(
        name="each part of a job by its own node's clock",
        against="where clocks disagree a job stands still between partitions",
        file=f"{QUEUE}/merged/jobs.py",
        old="self._partitions[part.partition].clock.seconds()",
        new="min(one.clock.seconds() for one in self._partitions)",
        proof=_CLOCKS,
        test="test_a_job_over_nodes_whose_clocks_disagree_takes_all_letters_at_its_rate",
    ),
    Protection(
        name="a plan by the clock that is furthest",
        against="a job leaves out what died of late by a clock that is ahead",
        file=f"{QUEUE}/merged/jobs.py",
        old="max(map(_now, self._partitions))",
        new="min(map(_now, self._partitions))",
        proof=_CLOCKS,
        test="test_a_job_over_nodes_whose_clocks_disagree_takes_all_letters_at_its_rate",
    ),
    Protection(
        name="a rate is the whole job's",
        against="a job of many partitions begins in each of them at once",
        file=f"{QUEUE}/merged/jobs.py",
        old="return max((self._owed_by(one) for one in before), default=0.0)",
        new="return 0.0",
        proof=_JOBS,
        test="test_a_rate_holds_for_the_whole_job",
    ),
    Protection(
        name="the parts to come are heard of",
        against="a job that runs is ended as failed in the partitions whose turn is not yet",
        file=f"{QUEUE}/merged/jobs.py",
        old="        job = self._hear(job)\n",
        new="",
        proof=_JOBS,
        test="test_parts_whose_turn_is_not_yet_do_not_count_as_left_behind",
    ),
    Protection(
        name="letters are dropped up to one, not so many",
        against="two workers that look at once drop twice as many",
        file=f"{LUA}/expire.lua",
        old='over = is_there and redis.call("ZRANK", key("dead"), up_to) + 1 or 0',
        new="over = up_to and most or 0",
        proof=_FIGURES,
        test="test_two_that_look_at_the_same_time_drop_the_same",
    ),
    Protection(
        name="a letter that was buried anew is the newest",
        against="all letters before it are dropped, though they are within the limit",
        file=f"{LUA}/expire.lua",
        old='tonumber(redis.call("ZSCORE", key("dead"), up_to) or "") == buried_at',
        new='redis.call("ZSCORE", key("dead"), up_to)',
        proof=_FIGURES,
        test="test_a_letter_that_was_buried_anew_after_the_look_takes_none_with_it",
    ),
    Protection(
        name="letters are counted after they were read",
        against="counts that are old by then drop letters that are within the limit",
        file=f"{QUEUE}/merged/retention.py",
        old="over = min(over, sum(one.letters() for one in kept) - max_letters)",
        new="pass",
        proof=_FIGURES,
        test="test_counts_that_are_old_by_then_drop_nothing_more",
    ),
    Protection(
        name="a slice of a log ends where a partition is further",
        against="a push that died between two partitions cannot go on, or pushes lines again",
        file=f"{QUEUE}/loads/log_file.py",
        old="for noted in start.ends:",
        new="for noted in ():",
        proof=_LOADS,
        test="test_every_line_is_there_once_whatever_dies_and_however_many_partitions_there_are",
    ),
    Protection(
        name="a partition is passed over only at a place of this log",
        against="of two logs with the same first line that begin at once, one loses lines",
        file=f"{QUEUE}/merged/loads.py",
        old="if noted != after and noted not in ends:",
        new='if noted != after and int(noted.split(" ")[0] or 0) <= int(after.split(" ")[0]):',
        proof=_LOADS,
        test="test_of_two_logs_that_begin_alike_and_are_begun_at_once_one_stops",
    ),
    Protection(
        name="a log keeps its number of partitions",
        against="a push gone on with under another number loses lines and doubles others",
        file=f"{QUEUE}/merged/loads.py",
        old="count = _partitions_in(known) if known else len(noted)",
        new="count = len(noted)",
        proof=_LOADS,
        test="test_every_line_is_there_once_whatever_dies_and_however_many_partitions_there_are",
    ),
)
