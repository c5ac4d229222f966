"""The simulated shop's products in a dozen categories, best sellers first."""

from typing import Final, NamedTuple


class CatalogueProduct(NamedTuple):
    """A product of the shop; `slug` is the last part of its page's path, `price_cents` is in euros."""

    product_id: str
    category: str
    title: str
    slug: str
    price_cents: int


_TITLES_AND_PRICES: Final[dict[str, tuple[tuple[str, int], ...]]] = {
    "clothing": (
        ("Merino Crew-Neck Jumper", 8900), ("Slim Stretch Jeans", 6900), ("Waxed Cotton Jacket", 14900),
        ("Linen Summer Dress", 7900), ("Oxford Shirt", 4900), ("Fleece Zip Hoodie", 5900),
        ("Pleated Midi Skirt", 6500), ("Organic Cotton T-Shirt, 3-Pack", 2900), ("Quilted Down Vest", 11900),
    ),
    "shoes": (
        ("Trail Running Shoe Ridge 3", 12900), ("Leather Chelsea Boot", 15900), ("Canvas Low Sneaker", 5900),
        ("Suede Loafer", 9900), ("Hiking Boot Alta Mid", 14900), ("Cork Sandal", 6900), ("Block Heel Pump", 8900),
        ("Waterproof Winter Boot", 13900),
    ),
    "electronics": (
        ("Noise-Cancelling Headphones Q45", 19900), ("Robot Vacuum Cleaner R2", 34900), ("4K Action Camera", 24900),
        ("Portable Bluetooth Speaker", 5900), ("55\" OLED Television", 119900), ("E-Reader 7\" 32 GB", 12900),
        ("Smart Doorbell", 9900), ("True Wireless Earbuds", 7900), ("Fitness Watch GPS", 22900),
    ),
    "computers": (
        ("14\" Ultralight Laptop 16 GB", 109900), ("Mechanical Keyboard, Brown Switches", 11900),
        ("27\" 4K Monitor USB-C", 38900), ("2 TB NVMe SSD", 13900), ("Ergonomic Vertical Mouse", 4900),
        ("Wi-Fi 7 Mesh Router", 24900), ("Laptop Stand Aluminium", 3900), ("Thunderbolt Dock", 22900),
        ("Webcam 1440p", 8900),
    ),
    "books": (
        ("The Lighthouse Keeper's Ledger", 1690), ("A Short History of Salt", 1290), ("Sourdough from Scratch", 2490),
        ("Designing Small Gardens", 2290), ("The Cartographer's Daughter", 1490), ("Night Trains of Europe", 2990),
        ("Statistics without Tears", 2790), ("The Quiet Orchard", 1390), ("Birds of the Northern Coast", 2690),
        ("Letters to a Young Engineer", 1190),
    ),
    "home & garden": (
        ("Cast-Iron Casserole 5 l", 12900), ("Linen Bed Set", 11900), ("Pour-Over Coffee Maker", 3900),
        ("Cordless Hedge Trimmer", 10900), ("Wool Throw", 6900), ("Raised Garden Bed Cedar", 7900),
        ("Oak Bedside Table", 14900), ("LED Floor Lamp", 8900), ("Herb Planter Trio", 2900),
    ),
    "handbags": (
        ("Leather Tote Camel", 18900), ("Crossbody Bag Mini", 8900), ("Canvas Weekender", 9900),
        ("Quilted Shoulder Bag", 13900), ("Bucket Bag Black", 15900), ("Recycled Nylon Backpack", 7900),
        ("Evening Clutch", 6900),
    ),
    "accessories": (
        ("Polarised Sunglasses", 8900), ("Cashmere Scarf", 9900), ("Leather Belt 35 mm", 4500),
        ("Automatic Watch 40 mm", 34900), ("Merino Beanie", 2500), ("Silver Hoop Earrings", 3500),
        ("Compact Umbrella", 2900), ("Card Wallet RFID", 3900),
    ),
    "games": (
        ("Harbour Builders, the Board Game", 4490), ("Wireless Game Controller", 5990), ("Space Colony IV", 5990),
        ("1000-Piece Puzzle: Lisbon", 1690), ("Chess Set Walnut", 7900), ("Kart Rally Deluxe", 4990),
        ("Dragons of the Deep, Card Game", 1990), ("Retro Handheld Console", 12900),
    ),
    "sports": (
        ("Yoga Mat 6 mm", 3900), ("Adjustable Dumbbells 2 × 24 kg", 29900), ("Two-Person Tent 2.1 kg", 24900),
        ("Road Bike Helmet", 7900), ("Swim Goggles", 1990), ("Climbing Rope 60 m", 18900),
        ("Tennis Racket 300 g", 11900), ("Insulated Bottle 1 l", 2900),
    ),
    "grocery": (
        ("Single-Origin Espresso Beans 1 kg", 2490), ("Extra Virgin Olive Oil 750 ml", 1490),
        ("Dark Chocolate 85 %, 10 Bars", 2990), ("Loose-Leaf Earl Grey 250 g", 1190), ("Wildflower Honey", 890),
        ("Basmati Rice 5 kg", 1590), ("Almond Butter", 990), ("Sea Salt Flakes", 690),
    ),
    "beauty": (
        ("Vitamin C Serum 30 ml", 2990), ("Mineral Sunscreen SPF 50", 1990), ("Argan Hair Oil", 1690),
        ("Electric Toothbrush", 9900), ("Cedar Eau de Parfum", 7900), ("Clay Face Mask", 1490),
        ("Safety Razor", 3900),
    ),
    "tools": (
        ("Cordless Drill 18 V", 14900), ("Socket Set 94 Pieces", 9900), ("Laser Level", 11900),
        ("Orbital Sander", 7900), ("Folding Workbench", 12900), ("Multi-Tool 14 in 1", 5900),
        ("Impact Driver", 13900),
    ),
}  # fmt: skip


def _slug(text: str) -> str:
    words = "".join(character if character.isalnum() else " " for character in text.lower().replace("'", "")).split()
    return "-".join(words)


def _products() -> dict[str, tuple[CatalogueProduct, ...]]:
    return {
        category: tuple(
            CatalogueProduct(
                f"{category[:2].upper()}{(shelf + 1) * 1000 + place}", category, title, _slug(title), price_cents
            )
            for place, (title, price_cents) in enumerate(shelf_of, start=1)
        )
        for shelf, (category, shelf_of) in enumerate(_TITLES_AND_PRICES.items())
    }


PRODUCTS: Final = _products()
"""By category."""
CATEGORY_SLUGS: Final = {category: _slug(category) for category in PRODUCTS}
