"""Tunesmith: what a fine-tune needs, computed before it runs."""
