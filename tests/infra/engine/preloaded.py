"""Imported once, by the process that program hosts are forked from: all that a program loads, also late."""

from importlib import import_module

for _module in ("declaration", "pulumi.automation", "pulumi_gcp.organizations", "pulumi_gcp.projects"):
    getattr(import_module(_module), "__all__", None)  # pulumi_gcp loads a part of itself at its first attribute
