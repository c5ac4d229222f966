"""Pictures of products, drawn from their category and slug. Pure."""

from hashlib import blake2b
from typing import Final

_SHAPES: Final = {
    "clothing": "M75 45 L105 30 Q120 45 135 30 L165 45 L190 85 L165 97 L158 85 L158 175 L82 175 L82 85 L75 97 L50 85 Z",
    "shoes": "M45 130 Q50 85 75 88 Q95 118 130 120 Q188 125 195 150 L195 162 L45 162 Z",
    "electronics": "M60 125 A60 60 0 0 1 180 125 L180 165 L158 165 L158 125 A38 38 0 0 0 82 125 L82 165 L60 165 Z",
    "computers": "M65 60 L175 60 L175 135 L65 135 Z M45 145 L195 145 L205 165 L35 165 Z",
    "books": "M60 50 L115 62 L120 168 L65 156 Z M180 50 L125 62 L120 168 L175 156 Z",
    "home-garden": "M75 95 L165 95 L158 165 L82 165 Z M120 95 Q80 75 85 45 Q115 50 120 95 Q125 50 "
    "155 45 Q160 75 120 95 Z",
    "handbags": "M60 90 L180 90 L190 170 L50 170 Z M88 90 Q90 45 120 45 Q150 45 152 90 L140 90 Q140 "
    "58 120 58 Q100 58 100 90 Z",
    "accessories": "M50 100 A30 30 0 1 0 110 100 A30 30 0 1 0 50 100 M130 100 A30 30 0 1 0 190 100 "
    "A30 30 0 1 0 130 100 "
    "M108 96 Q120 86 132 96 L132 104 Q120 95 108 104 Z",
    "games": "M70 80 Q120 65 170 80 Q205 100 195 150 Q175 170 150 135 L90 135 Q65 170 45 150 Q35 100 70 80 Z",
    "sports": "M40 108 L55 108 L55 85 L75 85 L75 110 L165 110 L165 85 L185 85 L185 108 L200 108 "
    "L200 132 L185 132 L185 155 "
    "L165 155 L165 130 L75 130 L75 155 L55 155 L55 132 L40 132 Z",
    "grocery": "M95 45 L145 45 L145 65 Q165 80 165 105 L165 170 L75 170 L75 105 Q75 80 95 65 Z",
    "beauty": "M100 40 L140 40 L140 75 L155 75 L155 170 L85 170 L85 75 L100 75 Z",
}
_BOX: Final = "M120 45 L185 80 L185 145 L120 180 L55 145 L55 80 Z M120 115 L182 82 L120 49 L58 82 Z"


def picture(category_slug: str, slug: str) -> bytes:
    """An SVG of 240 × 220: the category's shape in colours of the product."""
    digest = blake2b(slug.encode(), digest_size=4).digest()
    hue = (digest[0] << 8 | digest[1]) % 360
    second_hue = (hue + 25 + digest[2] % 40) % 360
    shape = _SHAPES.get(category_slug, _BOX)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 220" role="img" aria-hidden="true">'
        f'<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop stop-color="hsl({hue} 45% 92%)"/>'
        f'<stop offset="1" stop-color="hsl({second_hue} 50% 82%)"/></linearGradient></defs>'
        f'<rect width="240" height="220" fill="url(#g)"/>'
        f'<ellipse cx="120" cy="184" rx="70" ry="7" fill="hsl({hue} 30% 70%)"/>'
        f'<path d="{shape}" fill="hsl({hue} 42% 46%)" fill-rule="evenodd" stroke="hsl({hue} 45% 34%)" stroke-width="3" '
        'stroke-linejoin="round"/></svg>'
    ).encode()
