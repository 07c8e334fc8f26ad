"""A first catalogue, so that there is something to look at and to buy."""

from __future__ import annotations

from cartwheel.ports import Ports
from cartwheel_shop._base import Money, digest
from cartwheel_shop.catalog import service as catalog
from cartwheel_shop.catalog.service import Draft

_GOODS: tuple[tuple[str, str, str, int, int], ...] = (
    ("Enamel mug", "White enamel with a blue rim, 350 ml.", "kitchen", 1290, 120),
    ("Cast iron pan", "26 cm, seasoned, good for every hob.", "kitchen", 4990, 40),
    ("Chef's knife", "20 cm blade of carbon steel, walnut handle.", "kitchen", 8900, 25),
    ("Linen tea towel", "Half linen, woven stripes, 50 x 70 cm.", "kitchen", 1150, 200),
    ("Wool blanket", "Lambswool, undyed, 130 x 180 cm.", "home", 11900, 30),
    ("Beeswax candle", "Burns for forty hours.", "home", 1490, 150),
    ("Desk lamp", "Steel, adjustable, with a warm white bulb.", "home", 6900, 35),
    ("Fountain pen", "Steel nib, medium, takes standard cartridges.", "paper", 2450, 80),
    ("Dotted notebook", "A5, 192 pages, thread-bound, lies flat.", "paper", 1690, 160),
    ("Canvas rucksack", "20 litres, waxed cotton, leather straps.", "travel", 13900, 20),
    ("Steel bottle", "Insulated, 750 ml, keeps tea hot for a day.", "travel", 2990, 90),
    ("Folding umbrella", "Windproof, 98 cm wide, 300 g.", "travel", 3490, 60),
)


def seed(ports: Ports) -> list[str]:
    """Create the first catalogue; again it changes nothing. Gives the products' ids."""
    product_ids = [f"prd_{digest('seed', name, size=16)}" for name, *_ in _GOODS]
    for product_id, (name, description, category, cents, stock) in zip(
        product_ids, _GOODS, strict=True
    ):
        if catalog.find(ports, product_id) is None:
            price = Money(amount=cents, currency="EUR")
            draft = Draft(name, description, category, price, stock)
            catalog.create(ports, product_id, draft)
    return product_ids
