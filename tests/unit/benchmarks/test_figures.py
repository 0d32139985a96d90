"""What stands in docs/performance.md is what was measured, and what was not is said."""

import subprocess
import sys

import pytest

from benchmarks import backlog, drain, events, machine, memory, page
from benchmarks.benchmark import FAILED, Benchmark, Goal, Size, failures
from benchmarks.contenders import FULL, OURS, OURS_TWICE, PLAIN, SPLICING, Contender, Load
from benchmarks.results import Results
from benchmarks.runner import measure
from benchmarks.suite import BENCHMARKS
from benchmarks.watching import Sample, pace
from tests.support.processes import Process, finished

FIGURES = {"rate": 120_000.0, "server_cpu": 2.0, "pss": 90.0}


def near(name, cpu, **figures):
    return {"name": name, "latency": drain.NEAR, "cpu": cpu} | FIGURES | figures


def test_all_send_the_same_342_bytes_which_are_415_as_queued():
    assert {len(one) for one in events.tuples()} == {415}
    assert {len(one) for one in events.records()} == {342}


def test_a_pace_leaves_out_the_start_and_what_comes_after_the_last_message():
    samples = [
        Sample(10.0, 2_000, 1.0, 0.5, 80.0),
        Sample(11.0, 6_000, 1.2, 0.6, 95.0),
        Sample(12.0, 6_000, 1.9, 0.9, 90.0),
    ]
    found = pace(samples)
    assert (found.messages, found.rate, found.pss) == (4_000, 4_000.0, 95.0)
    assert found.cpu == pytest.approx(50.0)
    assert found.server_cpu == pytest.approx(25.0)


def test_a_pace_of_a_single_look_is_none():
    with pytest.raises(ValueError, match="give it more"):
        pace([Sample(10.0, 2_000, 1.0, 0.5, 80.0)])


def test_cpu_of_a_tree_has_that_of_children_which_have_ended_or_that_a_thread_began():
    busy = "t=__import__('time'); e=t.process_time()+.3\nwhile t.process_time()<e: pass"
    code = f"""
import subprocess, sys, threading, time
subprocess.run([sys.executable, "-c", {busy!r}])
def child():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print("ready", flush=True)
    time.sleep(60)
threading.Thread(target=child).start()
"""
    with Process([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"ready\n"
        try:
            assert machine.cpu_seconds(parent.pid) >= 0.3
            members = list(machine.tree(parent.pid))
            assert len(members) == 2
        finally:
            for pid in machine.tree(parent.pid):
                finished(["kill", "-9", str(pid)], check=True)


def test_a_goal_is_met_by_the_median_of_the_rounds_beside_the_floor_of_the_same_run():
    rows = [
        *(near(FULL, cpu) for cpu in (3.0, 4.0, 99.0)),
        near(SPLICING, 2.0),
        near(PLAIN, 1.0),
        *(near(OURS, cpu) for cpu in (6.0, 1.0, 7.0)),
        near(OURS_TWICE, 6.6),
    ]
    rate, ratio, workers = drain.goals(rows)
    assert (rate.met, rate.measured) == (True, "120,000")
    assert (ratio.met, ratio.measured[:4]) == (True, "1.50")
    assert (workers.met, workers.measured) == (True, "+10%")
    *_, ratio, workers = drain.goals([*rows, *(near(OURS, 9.0) for _ in range(6))])
    assert (ratio.met, workers.met) == (False, False)


def test_costs_that_grow_with_the_backlog_miss_their_goal():
    level = {"rate": 1.0, "cpu": 10.0, "server_cpu": 2.0, "pss": 90.0}
    rows = [{"level": 10_000} | level, {"level": 10_000_000} | level | {"cpu": 11.2}]
    both, worker, server = backlog.goals(rows)
    assert (both.met, both.measured[:3]) == (True, "10%")
    assert (worker.met, worker.measured[:3]) == (False, "12%")
    assert server.met


def test_each_backlogs_figure_is_the_median_of_its_rounds():
    level = {"rate": 1.0, "cpu": 10.0, "server_cpu": 2.0, "pss": 90.0}
    rows = [{"level": 10_000} | level | {"cpu": cpu} for cpu in (9.0, 30.0, 10.0)]
    assert [row["cpu"] for row in backlog.medians(rows)] == [10.0]


def test_memory_that_grows_misses_its_goal():
    row = {"messages": 5_000_000, "first": 80.0, "last": 88.0, "peak": 90.0}
    peak, growth = memory.goals([row])
    assert peak.met
    assert (growth.met, growth.measured) == (False, "+10.0%")


def test_who_is_not_installed_is_said():
    absent = Contender("Else", "nowhere", near=Load(10), needs=("no_such_library",))
    (row,) = drain.row(absent, drain.NEAR, Size())
    assert "no_such_library not installed" in row[FAILED]
    assert "Not measured: Else" in failures([row])


def test_a_failure_in_the_midst_keeps_what_was_measured_and_the_run_goes_on(tmp_path, capsys):
    def run(_):
        yield {"name": "first"}
        raise OSError("no such server")

    file, results = tmp_path / "results.json", Results()
    broken = Benchmark("broken", "fails", run, lambda _: "", lambda _: iter(()))
    measure(broken, Size(quick=True), results, file)
    kept = Results.read(file).rows["broken"]
    assert kept == [{"name": "first"}, {FAILED: "OSError: no such server"}]
    assert "no such server" in capsys.readouterr().out


def test_a_section_replaces_what_stands_between_its_marks():
    text = "a\n<!-- bench x: by y -->\nold\n<!-- /bench x -->\nb\n"
    assert page.put(text, "x", "new\\1\n") == text.replace("old", "new\\1")
    with pytest.raises(ValueError, match="no <!-- bench z"):
        page.put(text, "z", "")


def test_the_page_has_marks_for_every_benchmark():
    text = page.PAGE.read_text()
    for name in ("seen", "goals", *(one.name for one in BENCHMARKS)):
        page.put(text, name, "")


def test_a_goal_that_is_not_met_stands_out():
    assert "| **no** |" in page.goals([Goal("speed", "fast", "slow", met=False)])
