"""What a function's zip holds, and what it does not."""

import hashlib
import re
import stat
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from bundling import Bundle
from bundling.archives import EPOCH
from tests.infra.checkouts import REPOSITORY, contents

REQUIREMENT = re.compile(r"[a-z0-9-]+==[^ ]+( ; [^\n]*?)?( --hash=sha256:[0-9a-f]{64})+")


def _requirements(bundle: Bundle) -> list[str]:
    return contents(bundle.path)["requirements.txt"].decode().splitlines()


def _packages(bundle: Bundle) -> set[str]:
    return {line.partition("==")[0] for line in _requirements(bundle) if "==" in line}


def test_the_webhook_carries_its_entry_the_core_its_requirements_and_the_accounts_own_messages(
    bundles: Mapping[str, Bundle],
) -> None:
    names = list(contents(bundles["webhook"].path))

    own = ["main.py", "profile/automatic_messages.toml", "requirements.txt"]
    assert names == [*own, "vendor/dm_core-0.1.0-py3-none-any.whl"]


def test_both_carry_the_deployers_list_of_automatic_messages(bundles: Mapping[str, Bundle]) -> None:
    name = "profile/automatic_messages.toml"
    listed = (REPOSITORY / "functions/processor" / name).read_bytes()

    assert [contents(bundles[function].path)[name] for function in ("webhook", "processor")] == [listed] * 2


def test_the_processor_also_carries_its_profile_and_prompts(bundles: Mapping[str, Bundle]) -> None:
    carried = contents(bundles["processor"].path)

    own = {
        "profile/facts.toml",
        "profile/knowledge.md",
        "profile/persona.md",
        "profile/profile.toml",
        "prompts/system.md",
    }
    assert own < set(carried)
    assert carried["prompts/system.md"] == (REPOSITORY / "functions/processor/prompts/system.md").read_bytes()


def test_every_requirement_is_pinned_and_hashed_and_the_core_comes_from_the_zip(bundles: Mapping[str, Bundle]) -> None:
    for bundle in bundles.values():
        *others, core = _requirements(bundle)

        wheel = contents(bundle.path)["vendor/dm_core-0.1.0-py3-none-any.whl"]
        digest = hashlib.sha256(wheel).hexdigest()
        assert core == f"./vendor/dm_core-0.1.0-py3-none-any.whl --hash=sha256:{digest}"
        assert others
        assert [line for line in others if not REQUIREMENT.fullmatch(line)] == []


def test_each_function_installs_its_own_extras_only(bundles: Mapping[str, Bundle]) -> None:
    webhook, processor = _packages(bundles["webhook"]), _packages(bundles["processor"])

    only_the_processor = {"google-genai", "httpx2", "pydantic", "google-cloud-secret-manager", "regex"}
    assert only_the_processor <= processor
    assert not only_the_processor & webhook
    assert {"functions-framework", "google-cloud-firestore", "google-cloud-tasks", "starlette"} <= webhook & processor


def test_neither_carries_what_is_for_development(bundles: Mapping[str, Bundle]) -> None:
    for bundle in bundles.values():
        assert not {"pytest", "ruff", "pulumi", "dm-sandbox", "dm-core"} & _packages(bundle)


def test_the_wheel_is_the_core_with_its_types_and_metadata(bundles: Mapping[str, Bundle], tmp_path: Path) -> None:
    wheel = tmp_path / "core.whl"
    wheel.write_bytes(contents(bundles["webhook"].path)["vendor/dm_core-0.1.0-py3-none-any.whl"])

    packaged = contents(wheel)

    source = REPOSITORY / "libs/core/src"
    assert {name: content for name, content in packaged.items() if ".dist-info/" not in name} == {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "dm_core-0.1.0.dist-info/RECORD" in packaged


def test_entries_are_sorted_stored_and_without_a_time_or_a_mode_of_their_own(bundles: Mapping[str, Bundle]) -> None:
    for bundle in bundles.values():
        with zipfile.ZipFile(bundle.path) as archive:
            entries = archive.infolist()

        assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
        assert {entry.date_time for entry in entries} == {EPOCH}
        assert {entry.external_attr >> 16 for entry in entries} == {stat.S_IFREG | 0o644}
        assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


def test_the_digest_is_the_zips_and_part_of_its_name(bundles: Mapping[str, Bundle]) -> None:
    for function, bundle in bundles.items():
        assert bundle.function == function
        assert bundle.digest == hashlib.sha256(bundle.path.read_bytes()).hexdigest()
        assert bundle.path.name == f"{function}-{bundle.digest}.zip"


@pytest.mark.parametrize("module", ["bundling", "bundling.__main__"])
def test_bundling_does_not_need_pulumi(module: str) -> None:
    code = f"import sys, {module}; print([name for name in sys.modules if name.startswith('pulumi')])"

    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=REPOSITORY / "infra", capture_output=True, text=True, check=True
    )

    assert run.stdout.strip() == "[]"
