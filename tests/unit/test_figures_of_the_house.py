"""The figures of the house that are rules; the others `python -m tests.house.figures` prints."""

from tests.house import figures


def test_no_circle_of_imports():
    """Within functions and for types neither."""
    assert figures.circles_of_imports() == []


def test_every_figure_can_be_counted(capsys):
    figures.main()
    printed = capsys.readouterr().out
    assert printed.count("\n| ") == len(figures.TABLE) + 1
    assert figures.lines_of_product() > figures.words_of_readme()
    assert figures.fullest_folder()[0] > 1
    assert figures.settings_in_all() > figures.settings_in_readme()
