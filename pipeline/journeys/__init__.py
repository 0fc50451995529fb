"""A customer's journey through the public API, made again and again where nobody else may come."""
