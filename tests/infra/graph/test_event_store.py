"""The database is hard to lose and holds what the code needs."""

from configuration import Configuration
from tests.infra.recording import dev_graph, prod_graph
from tests.infra.stacks import MINIMAL, PROJECT

DATABASE = "gcp:firestore/database:Database"


def test_a_production_database_is_held_three_times() -> None:
    database = prod_graph().one(DATABASE)

    assert database.protect
    assert database.inputs["deletionPolicy"] == "PREVENT"
    assert database.inputs["deleteProtectionState"] == "DELETE_PROTECTION_ENABLED"


def test_a_development_database_can_be_destroyed_for_good() -> None:
    database = dev_graph().one(DATABASE)

    assert not database.protect
    assert database.inputs["deletionPolicy"] == "DELETE"
    assert database.inputs["deleteProtectionState"] == "DELETE_PROTECTION_DISABLED"


def test_a_stack_that_says_nothing_protects_its_data() -> None:
    assert Configuration.read(MINIMAL, PROJECT, "dev").database.protected


def test_only_the_database_and_the_secrets_are_protected_so_that_an_index_can_change() -> None:
    secrets = {one.name for one in prod_graph().of("gcp:secretmanager/secret:Secret")}

    assert {one.name for one in prod_graph() if one.protect} == {"database", *secrets}
    assert [one.name for one in dev_graph() if one.protect] == []


def test_every_database_can_go_back_in_time() -> None:
    for graph in (dev_graph(), prod_graph()):
        state = graph.one(DATABASE).inputs["pointInTimeRecoveryEnablement"]

        assert state == "POINT_IN_TIME_RECOVERY_ENABLED"


def test_backups_are_kept_as_long_as_the_stack_says() -> None:
    assert prod_graph().one(":BackupSchedule").inputs["retention"] == "604800s"
    assert dev_graph().of(":BackupSchedule") == []


def test_everything_names_the_database_and_none_is_the_default_one() -> None:
    inside = [one for one in prod_graph() if one.type.startswith("gcp:firestore/") and one.type != DATABASE]

    assert len(inside) > 10
    assert {one.inputs["database"] for one in inside} == {"dm-agent"}
