"""The figures of the house that are rules; the others `python -m tests.house.figures` prints."""

from tests.house import figures

CIRCLES_OF_TODAY = [
    ["mixrelay.console.dashboard.call", "mixrelay.console.dashboard.place"],
    [
        "mixrelay.producer.dispatch.batch",
        "mixrelay.producer.dispatch.outlet",
        "mixrelay.producer.dispatch.on_invalid",
    ],
    [
        "mixrelay.producer.spool.spool",
        "mixrelay.producer.spool.files",
        "mixrelay.producer.spool.errors",
        "mixrelay.producer.spool.trusted_folder",
    ],
]
"""To end: no other is to come."""


def test_no_new_circle_of_imports():
    assert [
        circle for circle in figures.circles_of_imports() if circle not in CIRCLES_OF_TODAY
    ] == []


def test_every_figure_can_be_counted(capsys):
    figures.main()
    printed = capsys.readouterr().out
    assert printed.count("\n| ") == len(figures.TABLE) + 1
    assert figures.lines_of_product() > figures.words_of_readme()
    assert figures.fullest_folder()[0] > 1
    assert figures.settings_in_all() > figures.settings_in_readme()
