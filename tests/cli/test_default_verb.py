import pytest
import typer

from spear_deploy.cli import app, main, with_default_verb


@pytest.fixture(scope="module")
def command():
    return typer.main.get_command(app)


@pytest.mark.parametrize(
    "given",
    [
        ["model.pt"],
        ["--target", "loihi2", "model.pt"],
        ["--target=loihi2", "model.pt"],
        ["--json", "model.pt", "--out", "results"],
        ["./deploy"],
        ["--target", "export", "model.pt"],
        ["--out", "lava", "model.pt"],
        ["--budget", "50%", "--budget", "cores=2", "model.pt"],
        ["--no-lava", "model.pt"],
        ["./export", "--seed", "3"],
        ["--target", "loihi2"],
        ["--json"],
    ],
)
def test_deploy_is_meant_where_the_first_word_is_no_verb(command, given):
    assert with_default_verb(command, given) == ["deploy", *given]


@pytest.mark.parametrize(
    "given",
    [
        ["deploy", "model.pt"],
        ["export", "model.pt", "--to", "nir"],
        ["lava", "status"],
        ["--help"],
        ["--version"],
        [],
    ],
)
def test_a_verb_and_the_programs_own_options_are_left_alone(command, given):
    assert with_default_verb(command, given) == given


def test_a_file_called_like_a_verb_is_named_by_its_path(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["./lava"])
    assert ended.value.code == 2
    assert "spear-deploy: lava: no such model file" in capsys.readouterr().err


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("spear-deploy 0.")


@pytest.mark.parametrize("given", [["--help"], ["deploy", "--help"], ["export", "--help"]])
def test_help_names_an_example(capsys, given):
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 0
    assert "spear-deploy " in capsys.readouterr().out


def test_help_says_that_a_factory_is_run(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    assert "module:factory, whose code is run" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["deploy", "check", "compare", "simulate"])
def test_help_says_what_happens_where_an_option_is_left_out(capsys, monkeypatch, verb):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    assert "[default: (what the model names)]" in capsys.readouterr().out


def test_a_word_that_is_neither_a_verb_nor_a_file_is_told_with_the_verbs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["chek", "model.pt"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("spear-deploy: chek: no verb, and no model file; verbs: deploy, check, groups, ")
    assert told.endswith("did you mean 'check'?\n")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--pareto", "--out", "X", "model.pt"], "--pareto wants a value, found the option --out"),
        (["deploy", "--budget", "--seed", "3", "model.pt"], "--budget wants a value, found the option --seed"),
        (["model.pt", "--out", "--no-lava"], "--out wants a value, found the option --no-lava"),
        (["export", "model.pt", "--to", "--out", "X"], "--to wants a value, found the option --out"),
    ],
)
def test_an_option_without_its_value_is_told_before_the_next_one_is_taken_for_it(capsys, given, told):
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["deploy", "check", "groups", "compare", "simulate", "export"])
def test_every_verb_that_reads_a_model_is_told_in_the_same_words_how_it_is_used(command, verb):
    words = {"--arch", "--input-shape", "--time-steps", "--dt", "--encoding", "--read-out"}
    assert words <= {name for option in command.commands[verb].params for name in option.opts}


@pytest.mark.parametrize("words", [(), ("profiles",), ("lava",)])
def test_where_a_verb_is_missing_the_help_alone_is_shown(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    shown, err = capsys.readouterr()
    assert ended.value.code == 2
    assert "Usage: spear-deploy" in shown
    assert err == ""
