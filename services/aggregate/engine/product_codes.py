"""One code for each product: that of one of its variants, under which all of them count."""

from collections.abc import Sequence

import numpy as np

from services.aggregate.columns.arrays import Ints, grown
from services.aggregate.columns.products import ProductVariant


class ProductCodes:
    """The code of the variant that stands for its product, by the code of each variant."""

    def __init__(self) -> None:
        self._of = np.empty(0, np.int32)  # by variant
        self._known = 0
        self._code: dict[str, int] = {}  # by productId
        self._product: dict[int, str] = {}  # by code that stands for a product

    def of(self, variants: Ints) -> Ints:
        """The code that stands for the product of each variant; NONE stays NONE."""
        self._reserve(int(variants.max(initial=-1)) + 1)
        return np.append(self._of[: self._known], -1)[variants] if self._known else variants

    def learn(self, codes: Sequence[int], names: Sequence[ProductVariant | None]) -> None:
        """Take over the variants of codes. A free one has no name."""
        self._reserve(max(codes, default=-1) + 1)
        for code, name in zip(codes, names, strict=True):
            if name is not None:
                stands = self._code.setdefault(name.product_id, code)
                if stands == code:
                    self._product[code] = name.product_id
                self._of[code] = stands

    def forget(self, codes: Ints) -> None:
        """Codes are free. Another variant stands for a product whose code is among them."""
        self._reserve(int(codes.max(initial=-1)) + 1)
        is_free = np.zeros(self._known, np.bool_)
        is_free[codes] = True
        left = np.flatnonzero(~is_free)
        successors: dict[str, int] = {}
        for code in left[is_free[self._of[left]]].tolist():
            self._of[code] = successors.setdefault(self._product[int(self._of[code])], code)
        for code in codes.tolist():
            product = self._product.pop(code, None)
            if product is not None and product not in successors:
                del self._code[product]
        for product, code in successors.items():
            self._code[product], self._product[code] = code, product
        self._of[codes] = codes

    def _reserve(self, codes: int) -> None:
        """A code that is not known stands for itself."""
        if codes > self._known:
            self._of = grown(self._of, codes)
            self._of[self._known : codes] = np.arange(self._known, codes)
            self._known = codes
