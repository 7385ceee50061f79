"""Two small programs: one forgets to wait for a service, the other doesn't. Their process imports them from here."""

import pulumi
from pulumi_gcp import cloudtasks, projects


def forgetful() -> None:
    """A queue beside the service that it needs."""
    projects.Service("tasks", service="cloudtasks.googleapis.com")
    cloudtasks.Queue("queue", location="europe-west2", name="q")


def patient() -> None:
    """A queue after the service that it needs."""
    tasks = projects.Service("tasks", service="cloudtasks.googleapis.com")
    options = pulumi.ResourceOptions(depends_on=[tasks])
    cloudtasks.Queue("queue", location="europe-west2", name="q", opts=options)
