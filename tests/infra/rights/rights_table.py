"""Which identity may do what, computed from what the program declares; ``docs/rights.md`` holds the same table.

To write the page anew after a change that is meant:  PYTHONPATH=infra:tests/infra python -m rights.rights_table
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.infra.recording import Graph, Registered, closed_graph, dev_graph, prod_graph

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "rights.md"
BEGIN: Final = "<!-- rights: computed from the program, see tests/infra/rights -->"
END: Final = "<!-- end of rights -->"

NAMED: Final = "a named member"
PEOPLE: Final = {"reader": "a reader", "operator": "an operator"}
"""Whom the stack names, by the beginning of what gives them a right."""

WHEN: Final = {
    "roles/aiplatform.user": "with Vertex AI",
    "gemini-api-key": "with the Gemini API's key",
    "spond": "with Spond",
    "whatsapp-app-secret": "where its version is pinned",
    "whatsapp-verify-token": "where its version is pinned",
    "roles/secretmanager.secretVersionAdder": "with an Instagram login's token",
    "everybody": "unless `public` is false",
    "a reader": "if `readers` names them",
    "an operator": "if `operators` names them",
    NAMED: "if `public` is false and `webhookInvokers` names it",
}
"""The one configuration that each right which not every stack has depends on."""

PLACES: Final = {
    "projects": "project",
    "cloudtasks": "queue",
    "secretmanager": "secret",
    "cloudrunv2": "service",
    "serviceaccount": "identity",
    "storage": "bucket",
    "artifactregistry": "repository",
}


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One line of the table. ``where``: the resource, or the whole project with the condition on it."""

    identity: str
    role: str
    where: str


def rights_of(graph: Graph) -> Iterator[Right]:
    """Every right that a graph grants, whoever to."""
    names = {str(one.inputs["accountId"]): one.name for one in graph.of(":Account")}
    for one in graph:
        if "member" in one.inputs and "role" in one.inputs:
            person = PEOPLE.get(one.name.split("-")[0])
            identity = person or _identity(one.text("member"), names)
            yield Right(identity, one.text("role"), _where(one, names))


def _identity(member: str, names: dict[str, str]) -> str:
    if member == "allUsers":
        return "everybody"
    account = member.removeprefix("serviceAccount:").split("@")[0]
    return names.get(account, NAMED)


def _where(one: Registered, names: dict[str, str]) -> str:
    service = one.type.split(":")[1].split("/")[0]
    place = PLACES[service]
    condition = one.inside("condition", "expression")
    if condition is not None and "gcf-v2-sources" in str(condition):
        return "gcf-v2-sources-NUMBER-REGION (the platform's bucket, by a condition)"
    if condition is not None:
        return f"{str(condition).rstrip('"').rsplit('/', 1)[-1]} (database, by a condition)"
    keys = ("secretId", "repository", "bucket", "serviceAccountId", "name")
    name = next((str(one.inputs[key]) for key in keys if key in one.inputs), "")
    name = name.rsplit("/", 1)[-1].split("@")[0]
    if place == "project":
        return "the project"
    return f"{name.replace('club-dms-test', 'PROJECT')} ({place})"


def table(graphs: list[Graph]) -> str:
    """The table in Markdown: each right once, with the configuration that it depends on."""
    sets = [set(rights_of(graph)) for graph in graphs]
    always = sets[0].intersection(*sets)
    rows = [
        f"| {right.identity} | `{right.role}` | {right.where} | {'always' if right in always else _when(right)} |"
        for right in sorted(sets[0].union(*sets))
    ]
    return "\n".join(["| identity | role | on | when |", "|---|---|---|---|", *rows])


def _when(right: Right) -> str:
    for key, when in WHEN.items():
        if key in (right.role, right.identity) or key in right.where:
            return when
    raise AssertionError(f"{right} is not in every stack, and WHEN does not say in which")


def page_table() -> str:
    """The table as the page has it."""
    page = PAGE.read_text("utf-8")
    return page.split(BEGIN)[1].split(END)[0].strip()


def compared() -> list[Graph]:
    """Stacks that between them have every right."""
    return [dev_graph(), prod_graph(), closed_graph()]


def main() -> None:
    page = PAGE.read_text("utf-8")
    head, rest = page.split(BEGIN)
    tail = rest.split(END)[1]
    PAGE.write_text(f"{head}{BEGIN}\n{table(compared())}\n{END}{tail}", "utf-8")


if __name__ == "__main__":
    main()
