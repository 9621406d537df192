import io
import os
import re
import subprocess
import sys

import pytest
from rich.console import Group
from rich.table import Table
from rich.text import Text

from spear_deploy.cli import main
from spear_deploy.cli.console import TerminalProgress, VisibleConsole, out


def test_a_notice_shows_brackets_as_they_are(capsys):
    TerminalProgress().notice("nets[old]/model.pt: layer [conv] was read")
    assert capsys.readouterr().err == "note: nets[old]/model.pt: layer [conv] was read\n"


HOSTILE = "conv\x1b]0;owned\x1b[2J\x9b31m\u202egnp"
SHOWN = r"conv\x1b]0;owned\x1b[2J\x9b31m\u202egnp"


def test_no_name_from_a_file_commands_the_terminal(capsys, tmp_path):
    TerminalProgress().notice(f"layer {HOSTILE} was read")
    table = Table("layer", title=HOSTILE)
    table.add_row(HOSTILE)
    out.print(table, width=200)
    with pytest.raises(SystemExit):
        main(["check", str(tmp_path / HOSTILE)])
    with pytest.raises(SystemExit):
        main(["check", "--target", HOSTILE, "net.pt"])
    shown = capsys.readouterr()
    assert shown.err.count(SHOWN) == 3
    assert SHOWN in shown.out
    assert all(each.isprintable() for each in (shown.out + shown.err).replace("\n", ""))


@pytest.mark.parametrize("terminal", [True, False])
def test_lines_break_between_words_on_a_terminal_and_nowhere_else(terminal):
    shown = io.StringIO()
    console = VisibleConsole(
        file=shown, soft_wrap=True, markup=False, highlight=False, force_terminal=terminal, width=80
    )
    path = "/data/" + "deep/" * 20 + "model.pt"
    text = f"written to {path}: equal to these integers of loihi2 in 2 layers, " + "and so on " * 20
    console.print(text)
    lines = shown.getvalue().splitlines()
    assert " ".join(shown.getvalue().split()) == text.strip()
    assert len(lines) == 1 or (terminal and all(len(line) <= 80 or path in line for line in lines))
    assert (len(lines) > 1) == terminal


def test_an_error_breaks_between_words_on_a_terminal_too(capsys, monkeypatch):
    monkeypatch.setattr("spear_deploy.cli.err", VisibleConsole(force_terminal=True, width=80, stderr=True))
    with pytest.raises(SystemExit):
        main(["profiles", "show", "lohi2"])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 80
    assert lines[0] == "spear-deploy: no profile called 'lohi2'"


def test_words_that_the_locale_has_no_letters_for_are_written_out(tmp_path):
    command = [sys.executable, "-m", "spear_deploy", "profiles", "show", "loihi2"]
    ended = subprocess.run(command, capture_output=True, cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.isascii()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_behind_the_output_is_told_in_one_line(tmp_path):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "spear_deploy", "profiles", "list"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == "spear-deploy: the output: No space left on device\n"


def test_a_closed_output_is_no_fault(tmp_path):
    command = f"{sys.executable} -m spear_deploy profiles list >&- 2>&- <&-"
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path).returncode == 0


def test_an_error_shows_a_path_with_brackets_as_it_is(capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(["check", str(tmp_path / "nets[old].pt")])
    assert ended.value.code == 2
    assert "nets[old].pt" in capsys.readouterr().err


def test_without_a_terminal_a_stage_is_a_line_for_every_tenth_of_it(capsys, monkeypatch):
    clock = iter(range(0, 4000, 4))
    monkeypatch.setattr("spear_deploy.cli.console.time.monotonic", lambda: next(clock))
    with TerminalProgress().stage("LRE samples", 100) as advance:
        for number in range(100):
            advance(detail=f"sample {number}")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "LRE samples    10/100, 0:00:04 passed, about 0:00:36 left, sample 9"
    assert lines[-1] == "LRE samples    100/100, 0:00:40 passed, sample 99"


def test_a_stage_of_few_units_tells_of_each_and_one_that_ends_early_stays_at_what_was_done(capsys):
    with TerminalProgress().stage("measure", 2) as advance:
        advance()
        advance()
    with TerminalProgress().stage("Lava", 400) as advance:
        advance(done=300)
        advance(done=301)
    found = [line.split(",")[0] for line in capsys.readouterr().err.splitlines()]
    assert found == ["measure        1/2", "measure        2/2", "Lava           300/400", "Lava           301/400"]


def on_a_terminal(monkeypatch, work):
    """The last frame of a bar in 80 columns, in words."""
    shown = io.StringIO()
    console = VisibleConsole(file=shown, soft_wrap=True, markup=False, force_terminal=True, width=80, height=20)
    monkeypatch.setattr("spear_deploy.cli.console.err", console)
    with TerminalProgress().stage("search", 60) as advance:
        work(advance)
    frames = re.sub(r"\x1b\[[\d;]*m", "", shown.getvalue())
    return [each for each in re.split(r"\x1b\[[\d?]*[a-zA-Z]|[\r\n]", frames) if each.strip()][-1]


@pytest.mark.parametrize(("done", "shown"), [(0, "60/60"), (8, "8/60"), (60, "60/60"), (63, "63/63")])
def test_a_bar_stays_at_what_was_done(monkeypatch, done, shown):
    def work(advance):
        for _ in range(done):
            advance(detail="best accuracy 97.5 %, 12,345 SynOps")

    assert f" {shown} " in on_a_terminal(monkeypatch, work)


def test_a_bar_in_80_columns_shows_its_times_and_cuts_its_detail(monkeypatch):
    line = on_a_terminal(monkeypatch, lambda advance: advance(done=30, detail="best accuracy 97.5 %, 12,345 SynOps"))
    assert re.search(r"30/60 \d:\d\d:\d\d left [\d-]:[\d-]{2}:[\d-]{2} best accur.*…$", line.strip())
    assert len(line.strip()) <= 80


def test_a_broken_line_goes_on_below_what_its_label_sets_apart():
    shown = io.StringIO()
    console = VisibleConsole(file=shown, soft_wrap=True, markup=False, highlight=False, force_terminal=True, width=40)
    console.print(
        Group(Text("throughput  27,377 inferences/s in a full pipeline", style="bold"), Text("    by eight " * 5))
    )
    lines = [re.sub(r"\x1b\[\d*m", "", line) for line in shown.getvalue().splitlines()]
    assert lines[:2] == ["throughput  27,377 inferences/s in a", "            full pipeline"]
    assert all(line.startswith("    by eight") for line in lines[2:])
    assert max(map(len, lines)) <= 40


def test_a_line_among_tables_is_broken_and_no_cell_of_a_table_is():
    shown = io.StringIO()
    console = VisibleConsole(file=shown, soft_wrap=True, markup=False, highlight=False, force_terminal=True, width=40)
    table = Table()
    table.add_column("key", no_wrap=True)
    table.add_row(Text("energy.neuron_update_inactive"))
    console.print(Group(table, Text("word " * 20)))
    assert "energy.neuron_update_inactive" in shown.getvalue()
    assert max(len(re.sub(r"\x1b\[\d*m", "", line)) for line in shown.getvalue().splitlines()) <= 40
