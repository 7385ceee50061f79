"""Regions where every service of the deployment is offered, and locations where a model is.

The scarce one is Cloud Tasks: these are its regions by cloud.google.com/tasks/docs/locations, and each of them also
has Cloud Run functions, Firestore, Cloud Scheduler, Artifact Registry and Cloud Storage. A region that Google adds
later is one word here, after a look at that page.
"""

from typing import Final

REGIONS: Final = frozenset(
    {
        "asia-east1",
        "asia-east2",
        "asia-northeast1",
        "asia-northeast2",
        "asia-northeast3",
        "asia-south1",
        "asia-southeast1",
        "asia-southeast2",
        "australia-southeast1",
        "europe-central2",
        "europe-west1",
        "europe-west2",
        "europe-west3",
        "europe-west6",
        "northamerica-northeast1",
        "southamerica-east1",
        "us-central1",
        "us-east1",
        "us-east4",
        "us-west1",
        "us-west2",
        "us-west3",
        "us-west4",
    }
)

WITHOUT_CLOUD_TASKS: Final = frozenset(
    {
        "africa-south1",
        "asia-south2",
        "australia-southeast2",
        "europe-north1",
        "europe-southwest1",
        "europe-west10",
        "europe-west12",
        "europe-west4",
        "europe-west8",
        "europe-west9",
        "me-central1",
        "me-central2",
        "me-west1",
        "northamerica-northeast2",
        "southamerica-west1",
        "us-east5",
        "us-south1",
    }
)
"""Regions with functions but without a queue to wake them."""

DATABASE_LOCATIONS: Final = REGIONS | WITHOUT_CLOUD_TASKS | {"eur3", "nam5", "nam7", "northamerica-south1"}
"""Where a Firestore database can be (https://firebase.google.com/docs/firestore/locations). It can never be moved."""


def region_problem(region: str) -> str | None:
    """Why the deployment can't live there, or None."""
    if region in REGIONS:
        return None
    near = sorted(known for known in REGIONS if known.split("-")[0] == region.split("-")[0])
    hint = f"; near it: {', '.join(near)}" if near else ""
    if region in WITHOUT_CLOUD_TASKS:
        return f"lacks Cloud Tasks{hint}"
    return f"is no region known to offer every service (infra/regions.py lists them){hint}"


MODEL_LOCATIONS: Final = ("global", "eu", "us")
"""Where Vertex AI offers Gemini 3.8: the global endpoint and the multi-regions, no single region
(https://docs.cloud.google.com/gemini-enterprise-agent-platform/resources/locations)."""


def location_problem(model: str, location: str) -> str | None:
    """Why Vertex AI does not offer a model there, or None. Of models that this page does not know nothing is said."""
    if not model.rsplit("/", 1)[-1].startswith("gemini-3.8") or location in MODEL_LOCATIONS:
        return None
    return f"does not offer gemini-3.8 models: {', '.join(MODEL_LOCATIONS)} do"
