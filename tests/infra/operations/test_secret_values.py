"""``make secrets``: values reach gcloud's standard input and nothing else."""

import json
from pathlib import Path

import pytest

from tests.infra.operations.fake_machine import GOOD, Machine

SECRET = "hush-IGAA-0123456789"
OTHER = "hush-EAA-9876543210"


def written(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text, newline="")
    path.chmod(mode)
    return str(path)


def seen_outside(machine: Machine, output: str, *, except_for: Path) -> list[str]:
    """Everywhere a secret could have ended up: the screen, each command line, each file."""
    places = [f"screen: {output}", *(f"command: {call.words}" for call in machine.calls())]
    kept = {except_for, machine.folder / "calls"}  # the tool's own record of its standard input
    files = [path for path in machine.folder.rglob("*") if path.is_file() and path not in kept]
    places += [f"{path}: {path.read_text(errors='replace')}" for path in files]
    return [place for place in places if "hush" in place]


def test_values_of_a_file_go_to_standard_input_only(machine: Machine) -> None:
    file = machine.folder / "values.env"
    machine.adds_versions(4)
    written(file, f"# ours\nINSTAGRAM_APP_SECRET={SECRET}\nexport GEMINI_API_KEY='{OTHER}'\nUNRELATED=hush\n")

    run = machine.run("secrets", "--stack", "dev", "--from-file", str(file))

    assert run.code == 0, run.output
    added = machine.calls("versions add")
    assert [(call.arguments[3], call.given) for call in added] == [
        ("dm-instagram-app-secret", SECRET),
        ("dm-gemini-api-key", OTHER),
    ]
    assert all("--data-file=-" in call.arguments and "--project=club-dms-test" in call.arguments for call in added)
    assert seen_outside(machine, run.output, except_for=file) == []


def test_a_typed_value_is_not_shown_and_an_empty_one_leaves_the_secret_alone(machine: Machine) -> None:
    machine.adds_versions(7)

    run = machine.typing(["", SECRET], "secrets", "--stack", "dev", "INSTAGRAM_APP_SECRET", "INSTAGRAM_VERIFY_TOKEN")

    assert run.code == 0, run.output
    assert [(call.arguments[3], call.given) for call in machine.calls("versions add")] == [
        ("dm-instagram-verify-token", SECRET)
    ]
    assert "INSTAGRAM_VERIFY_TOKEN: version 7" in run.output
    assert seen_outside(machine, run.output, except_for=machine.folder / "none") == []


def test_without_pin_the_command_to_pin_is_printed(machine: Machine) -> None:
    machine.adds_versions(4)
    file = written(machine.folder / "values.env", f"GEMINI_API_KEY={SECRET}\n")

    run = machine.run("secrets", "--stack", "dev", "--from-file", file)

    assert "pulumi config set --path dm-agent:secretVersions.GEMINI_API_KEY 4 --stack dev" in run.output
    assert machine.calls("config set") == []


def test_with_pin_the_number_is_written_into_the_stack(machine: Machine) -> None:
    machine.adds_versions(4)
    file = written(machine.folder / "values.env", f"GEMINI_API_KEY={SECRET}\n")

    run = machine.run("secrets", "--stack", "dev", "--from-file", file, "--pin")

    assert run.code == 0, run.output
    assert [call.arguments[:5] for call in machine.calls("config set")] == [
        ("config", "set", "--path", "dm-agent:secretVersions.GEMINI_API_KEY", "4")
    ]


def test_the_prefix_and_the_kind_of_model_decide_which_containers_there_are(machine: Machine) -> None:
    machine.configured({**GOOD, "dm-agent:prefix": "club", "dm-agent:model": "vertex"})
    machine.adds_versions(1)
    file = written(machine.folder / "values.env", f"SPOND_PASSWORD={SECRET}\n")

    run = machine.run("secrets", "--stack", "dev", "--from-file", file)

    assert machine.calls("versions add")[0].arguments[3] == "club-spond-password"
    assert "GEMINI_API_KEY" not in run.output


def test_secrets_can_be_added_before_any_version_is_pinned(machine: Machine) -> None:
    machine.configured({key: value for key, value in GOOD.items() if key != "dm-agent:secretVersions"})
    machine.adds_versions(1)
    file = written(machine.folder / "values.env", f"GEMINI_API_KEY={SECRET}\n")

    assert machine.run("secrets", "--stack", "dev", "--from-file", file).code == 0


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_refused(machine: Machine, mode: int) -> None:
    file = machine.folder / "values.env"
    written(file, f"GEMINI_API_KEY={SECRET}\n", mode)

    run = machine.run("secrets", "--stack", "dev", "--from-file", str(file))

    assert run.code == 1
    assert f"chmod 600 {file}" in run.output
    assert machine.calls("versions add") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"GEMINI_API_KEY={SECRET}\n{OTHER}\n", "line 2, is not NAME=value"),
        (f"GEMINI_API_KEY={SECRET}\nGEMINI_API_KEY={OTHER}\n", "line 2: GEMINI_API_KEY is there twice"),
        (f"SOMETHING_ELSE={SECRET}\n", "has none of"),
        (f"INSTAGRAM_VERIFY_TOKEN={SECRET} # ours\n", "line 1: what follows # may be a comment"),
        (f"INSTAGRAM_VERIFY_TOKEN='{SECRET}' # ours\n", "line 1: what follows # may be a comment"),
        (f"GEMINI_API_KEY={SECRET}\x1b[0m\n", "GEMINI_API_KEY holds a control character"),
        (f"GEMINI_API_KEY=\"'{SECRET}'\"\n", "GEMINI_API_KEY is wrapped in quotes"),
        (f"GEMINI_API_KEY=<{SECRET}>\n", "GEMINI_API_KEY is wrapped in quotes or brackets"),
        (f"GEMINI_API_KEY={SECRET} {OTHER}\n", "GEMINI_API_KEY must be printable ASCII without blanks"),
        (f"GEMINI_API_KEY=GEMINI_API_KEY={SECRET}\n", "GEMINI_API_KEY begins with its own name"),
        (f'INSTAGRAM_APP_SECRET={SECRET},"{OTHER}"\n', "INSTAGRAM_APP_SECRET is wrapped in quotes or brackets"),
        ("", "has none of"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_without_quoting_it(machine: Machine, text: str, said: str) -> None:
    file = machine.folder / "values.env"
    written(file, text)

    run = machine.run("secrets", "--stack", "dev", "--from-file", str(file))

    assert run.code == 1
    assert said in run.output
    assert machine.calls("versions add") == []
    assert seen_outside(machine, run.output, except_for=file) == []


def test_a_file_of_another_system_is_read_as_it_was_meant(machine: Machine) -> None:
    """With Windows' mark and line ends, and a quoted value that has what looks like a comment in it."""
    machine.configured({**GOOD, "dm-agent:settings": "{}"})
    machine.adds_versions(2)
    text = (
        f"\ufeffINSTAGRAM_APP_SECRET={SECRET}\r\nSPOND_PASSWORD='{SECRET} # 1'\r\nINSTAGRAM_VERIFY_TOKEN={SECRET}#1\r\n"
    )

    run = machine.run("secrets", "--stack", "dev", "--from-file", written(machine.folder / "values.env", text))

    assert run.code == 0, run.output
    assert {(call.arguments[3], call.given) for call in machine.calls("versions add")} == {
        ("dm-instagram-app-secret", SECRET),
        ("dm-instagram-verify-token", f"{SECRET}#1"),
        ("dm-spond-password", f"{SECRET} # 1"),
    }


def test_a_folder_or_nothing_instead_of_the_file_is_one_line(machine: Machine) -> None:
    for path in (machine.folder, machine.folder / "nowhere"):
        run = machine.run("secrets", "--stack", "dev", "--from-file", str(path))

        assert run.code == 1
        assert len(run.output.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("ERROR: NOT_FOUND: Secret not found", "make up STACK=dev"),
        (f"ERROR: PERMISSION_DENIED on {SECRET}", "PERMISSION_DENIED on …"),
    ],
)
def test_a_value_that_could_not_be_added_is_said_and_never_quoted(machine: Machine, error: str, said: str) -> None:
    file = machine.folder / "values.env"
    machine.adds_versions(0, code=1, error=error)
    written(file, f"GEMINI_API_KEY={SECRET}\n")

    run = machine.run("secrets", "--stack", "dev", "--from-file", str(file), "--pin")

    assert run.code == 1
    assert said in run.output
    assert machine.calls("config set") == []
    assert "0 added, 1 failed" in run.output
    assert "hush" not in run.output


def test_a_version_that_could_not_be_pinned_is_said_with_the_command(machine: Machine) -> None:
    machine.adds_versions(4)
    machine.says("pulumi", "^config set", code=1, error="error: disk full")
    file = written(machine.folder / "values.env", f"GEMINI_API_KEY={SECRET}\n")

    run = machine.run("secrets", "--stack", "dev", "--from-file", file, "--pin")

    assert run.code == 1
    assert "not pinned (error: disk full). Run: pulumi config set --path" in run.output


def test_without_a_terminal_nothing_is_asked(machine: Machine) -> None:
    run = machine.run("secrets", "--stack", "dev")

    assert run.code == 1
    assert "there is no terminal to ask at" in run.output


def test_a_name_that_is_no_secret_of_the_stack_is_refused(machine: Machine) -> None:
    run = machine.run("secrets", "--stack", "dev", "GEMINI_APIKEY")

    assert run.code == 1
    assert "GEMINI_APIKEY is not a secret of stack dev" in run.output


def test_no_command_line_takes_a_value(machine: Machine) -> None:
    run = machine.run("secrets", "--stack", "dev", f"GEMINI_API_KEY={SECRET}")

    assert run.code == 1
    assert machine.calls("versions add") == []


META = "x" * 60


@pytest.mark.parametrize(
    ("flavor", "name", "value", "said"),
    [
        ("instagram", "INSTAGRAM_ACCESS_TOKEN", f"EAA{META}", "is a token of Facebook's (EAA…); one of Instagram's"),
        ("instagram", "INSTAGRAM_ACCESS_TOKEN", f"17841=IGAA{META},17842=EAA{META}", "is a token of Facebook's (EAA…)"),
        ("page", "INSTAGRAM_ACCESS_TOKEN", f"IGAA{META}", "is a token of Instagram's (IGAA…); one of Facebook's"),
        ("page", "WHATSAPP_ACCESS_TOKEN", f"IGAA{META}", "is a token of Instagram's (IGAA…); one of Facebook's"),
        ("page", "INSTAGRAM_APP_SECRET", f"EAA{META}", "is a token of Facebook's (EAA…); no token"),
        ("page", "GEMINI_API_KEY", f"IGAA{META}", "is a token of Instagram's (IGAA…); no token"),
    ],
)
def test_a_value_that_is_another_ones_is_refused(
    machine: Machine, flavor: str, name: str, value: str, said: str
) -> None:
    machine.configured({**GOOD, "dm-agent:settings": json.dumps({"INSTAGRAM_API_FLAVOR": flavor})})
    file = written(machine.folder / "values.env", f"{name}={value}\n")

    run = machine.run("secrets", "--stack", "dev", "--from-file", file)

    assert run.code == 1
    assert f"{name} {said}" in run.output
    assert META not in run.output
    assert machine.calls("versions add") == []


def test_a_right_token_of_either_flavour_is_taken(machine: Machine) -> None:
    machine.adds_versions(2)
    for flavor, token in (("instagram", f"IGAA{META}"), ("instagram", "IGQV-old"), ("page", f"EAA{META}")):
        machine.configured({**GOOD, "dm-agent:settings": json.dumps({"INSTAGRAM_API_FLAVOR": flavor})})
        text = f"INSTAGRAM_ACCESS_TOKEN={token}\nWHATSAPP_ACCESS_TOKEN=EAA{META}\n"
        run = machine.run("secrets", "--stack", "dev", "--from-file", written(machine.folder / "values.env", text))

        assert run.code == 0, run.output
