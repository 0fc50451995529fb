"""Reviewed findings of cdk-nag on the service's own resources, with reasons."""

from __future__ import annotations

from pipeline.delivery.reviews import Review
from service.delivery.name import NAME

REVIEWS = (
    Review(
        "AwsSolutions-S1",
        f"Pithead/*/{NAME}/Files/*",
        "Every access goes through the API, whose access log names it.",
    ),
    Review(
        "AwsSolutions-IAM5[Resource::<Files*.Arn>/*]",
        f"Pithead/*/{NAME}/Role/*",
        "A file may have any name: the grant ends at the service's own bucket.",
    ),
)
