"""Order for everything inside a component.

``depends_on`` of a component says nothing about its children; a transformation reaches every descendant.
"""

from collections.abc import Sequence

import pulumi


def after(resources: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
    """Options for a component: each of its resources is made after these, and deleted before them."""

    def wait(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
        opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(depends_on=list(resources)))
        return pulumi.ResourceTransformationResult(args.props, opts)

    return pulumi.ResourceOptions(transformations=[wait])
