"""The simulated shop's products in a dozen categories, best sellers first."""

from typing import Final, NamedTuple


class CatalogueProduct(NamedTuple):
    """A product of the shop; `slug` is the last part of its page's path."""

    product_id: str
    category: str
    title: str
    slug: str


_TITLES: Final[dict[str, tuple[str, ...]]] = {
    "clothing": (
        "Merino Crew-Neck Jumper", "Slim Stretch Jeans", "Waxed Cotton Jacket", "Linen Summer Dress", "Oxford Shirt",
        "Fleece Zip Hoodie", "Pleated Midi Skirt", "Organic Cotton T-Shirt, 3-Pack", "Quilted Down Vest",
    ),
    "shoes": (
        "Trail Running Shoe Ridge 3", "Leather Chelsea Boot", "Canvas Low Sneaker", "Suede Loafer",
        "Hiking Boot Alta Mid", "Cork Sandal", "Block Heel Pump", "Waterproof Winter Boot",
    ),
    "electronics": (
        "Noise-Cancelling Headphones Q45", "Robot Vacuum Cleaner R2", "4K Action Camera", "Portable Bluetooth Speaker",
        "55\" OLED Television", "E-Reader 7\" 32 GB", "Smart Doorbell", "True Wireless Earbuds", "Fitness Watch GPS",
    ),
    "computers": (
        "14\" Ultralight Laptop 16 GB", "Mechanical Keyboard, Brown Switches", "27\" 4K Monitor USB-C", "2 TB NVMe SSD",
        "Ergonomic Vertical Mouse", "Wi-Fi 7 Mesh Router", "Laptop Stand Aluminium", "Thunderbolt Dock", "Webcam 1440p",
    ),
    "books": (
        "The Lighthouse Keeper's Ledger", "A Short History of Salt", "Sourdough from Scratch",
        "Designing Small Gardens", "The Cartographer's Daughter", "Night Trains of Europe", "Statistics without Tears",
        "The Quiet Orchard", "Birds of the Northern Coast", "Letters to a Young Engineer",
    ),
    "home & garden": (
        "Cast-Iron Casserole 5 l", "Linen Bed Set", "Pour-Over Coffee Maker", "Cordless Hedge Trimmer", "Wool Throw",
        "Raised Garden Bed Cedar", "Oak Bedside Table", "LED Floor Lamp", "Herb Planter Trio",
    ),
    "handbags": (
        "Leather Tote Camel", "Crossbody Bag Mini", "Canvas Weekender", "Quilted Shoulder Bag", "Bucket Bag Black",
        "Recycled Nylon Backpack", "Evening Clutch",
    ),
    "accessories": (
        "Polarised Sunglasses", "Cashmere Scarf", "Leather Belt 35 mm", "Automatic Watch 40 mm", "Merino Beanie",
        "Silver Hoop Earrings", "Compact Umbrella", "Card Wallet RFID",
    ),
    "games": (
        "Harbour Builders, the Board Game", "Wireless Game Controller", "Space Colony IV", "1000-Piece Puzzle: Lisbon",
        "Chess Set Walnut", "Kart Rally Deluxe", "Dragons of the Deep, Card Game", "Retro Handheld Console",
    ),
    "sports": (
        "Yoga Mat 6 mm", "Adjustable Dumbbells 2 × 24 kg", "Two-Person Tent 2.1 kg", "Road Bike Helmet", "Swim Goggles",
        "Climbing Rope 60 m", "Tennis Racket 300 g", "Insulated Bottle 1 l",
    ),
    "grocery": (
        "Single-Origin Espresso Beans 1 kg", "Extra Virgin Olive Oil 750 ml", "Dark Chocolate 85 %, 10 Bars",
        "Loose-Leaf Earl Grey 250 g", "Wildflower Honey", "Basmati Rice 5 kg", "Almond Butter", "Sea Salt Flakes",
    ),
    "beauty": (
        "Vitamin C Serum 30 ml", "Mineral Sunscreen SPF 50", "Argan Hair Oil", "Electric Toothbrush",
        "Cedar Eau de Parfum", "Clay Face Mask", "Safety Razor",
    ),
    "tools": (
        "Cordless Drill 18 V", "Socket Set 94 Pieces", "Laser Level", "Orbital Sander", "Folding Workbench",
        "Multi-Tool 14 in 1", "Impact Driver",
    ),
}  # fmt: skip


def _slug(text: str) -> str:
    words = "".join(character if character.isalnum() else " " for character in text.lower().replace("'", "")).split()
    return "-".join(words)


def _products() -> dict[str, tuple[CatalogueProduct, ...]]:
    return {
        category: tuple(
            CatalogueProduct(f"{category[:2].upper()}{(shelf + 1) * 1000 + place}", category, title, _slug(title))
            for place, title in enumerate(titles, start=1)
        )
        for shelf, (category, titles) in enumerate(_TITLES.items())
    }


PRODUCTS: Final = _products()
"""By category."""
CATEGORY_SLUGS: Final = {category: _slug(category) for category in PRODUCTS}
