"""Sealed backups, and nodes made from them."""
