"""Published names become common identifiers; what cannot be mapped is kept, counted and explained."""
