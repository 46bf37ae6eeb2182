"""Addresses as they are written."""


def in_uri(address):
    return f"[{address}]" if ":" in address else address
