"""Raw clicks in, enriched clicks out: product, visitor, country and device."""
