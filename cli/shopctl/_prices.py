"""What providers charge for running workflows: list prices, dated, as data."""

from __future__ import annotations

from dataclasses import dataclass

AS_OF = "2025-11"
"""Month of the list prices below. Providers change them: look at the source before you decide."""


@dataclass(frozen=True, slots=True)
class Price:
    """Is what one million of something costs in US dollars, free grants left out."""

    dollars_per_million: float
    source: str


PRICES: dict[str, dict[str, Price]] = {
    "aws": {
        "transition": Price(25.0, "AWS Step Functions pricing, Standard workflows, us-east-1"),
    },
    "gcp": {
        "step": Price(10.0, "Google Cloud Workflows pricing, internal steps"),
        "grouping step": Price(
            10.0, "Google Cloud Workflows pricing does not say that grouping is free"
        ),
    },
    "azure": {
        "action": Price(0.2, "Azure Functions pricing, Consumption plan, executions"),
    },
}
NOT_INCLUDED = (
    "the functions that run the tasks, storage transactions, requests and traffic are not included"
)
