"""A model with more words."""
