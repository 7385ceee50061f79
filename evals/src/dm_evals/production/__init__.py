"""A scenario made of a stored thread."""
