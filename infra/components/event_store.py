"""The Firestore database: threads, messages, runs, and what keeps them fast and alive."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import firestore

from components.indexes import COMPOSITES, EVERYWHERE, EXPIRING, UNINDEXED
from components.project_apis import ProjectApis
from components.settling import below
from configuration import DatabasePlan

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class EventStoreArgs:
    project: str
    plan: DatabasePlan
    apis: ProjectApis


def _everywhere() -> firestore.FieldIndexConfigIndexArgs:
    return firestore.FieldIndexConfigIndexArgs(order="ASCENDING", query_scope="COLLECTION_GROUP")


class EventStore(pulumi.ComponentResource):
    """Owns the named database with point-in-time recovery, its composite indexes, field exemptions, TTL and backups.

    A protected one is held three times over: Pulumi refuses to delete or replace it, the provider refuses, and so does
    Firestore. The deletion policy is always stated, because the provider's default forgets a live database.

    Indexes and fields form one chain: Firestore refuses changes of its configuration that meet, with a 409 of one of
    two texts, of which the provider retries one for each kind
    (hashicorp/terraform-provider-google#16329, #16599, #16664).

    Deliberately does not own rights (each function brings its own), documents, or the project's ``(default)`` database.
    """

    def __init__(self, name: str, args: EventStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dmagent:gcp:EventStore", name, None, opts)
        self._args = args
        self.database = self._make_database()
        indexes = self._make_indexes()
        self.queryable: list[pulumi.Resource] = [self.database, *indexes]
        self._make_fields(indexes[-1])
        if args.plan.backup_days:
            self._make_backups()
        self.register_outputs({"database": self.database.name})

    def _make_database(self) -> firestore.Database:
        plan = self._args.plan
        guarded = "DELETE_PROTECTION_ENABLED" if plan.protected else "DELETE_PROTECTION_DISABLED"
        return firestore.Database(
            "database",
            project=self._args.project,
            name=plan.name,
            location_id=plan.location,
            type="FIRESTORE_NATIVE",
            concurrency_mode="OPTIMISTIC",
            point_in_time_recovery_enablement="POINT_IN_TIME_RECOVERY_ENABLED",
            delete_protection_state=guarded,
            deletion_policy="PREVENT" if plan.protected else "DELETE",
            opts=pulumi.ResourceOptions.merge(
                self._args.apis.options(self, "firestore"), pulumi.ResourceOptions(protect=plan.protected)
            ),
        )

    def _make_indexes(self) -> list[firestore.Index]:
        """A query without its index fails: a function must come after them."""
        made: list[firestore.Index] = []
        for index in COMPOSITES:
            made.append(
                firestore.Index(
                    index.name,
                    project=self._args.project,
                    database=self.database.name,
                    collection=index.collection,
                    query_scope="COLLECTION",
                    fields=[firestore.IndexFieldArgs(field_path=path, order=order) for path, order in index.fields],
                    opts=below(self, made[-1:]),
                )
            )
        return made

    def _make_fields(self, last: pulumi.Resource) -> None:
        """One resource a field: a TTL and an exemption of the same field belong together. Each is asked for and not
        waited for: only the next request must not meet this one, and no function needs the result."""
        fields = [*((collection, "expireAt") for collection in EXPIRING), *UNINDEXED, *EVERYWHERE]
        for collection, field in fields:
            last = firestore.Field(
                f"{collection}-{field}",
                project=self._args.project,
                database=self.database.name,
                collection=collection,
                field=field,
                index_config=firestore.FieldIndexConfigArgs(
                    indexes=[_everywhere()] if (collection, field) in EVERYWHERE else []
                ),
                ttl_config=firestore.FieldTtlConfigArgs() if field == "expireAt" else None,
                skip_wait=True,
                opts=below(self, [last]),
            )

    def _make_backups(self) -> None:
        firestore.BackupSchedule(
            "daily",
            project=self._args.project,
            database=self.database.name,
            retention=f"{self._args.plan.backup_days * DAY_SECONDS}s",
            daily_recurrence=firestore.BackupScheduleDailyRecurrenceArgs(),
            opts=below(self),
        )
