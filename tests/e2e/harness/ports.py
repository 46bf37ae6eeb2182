"""Ports for the server and the phones."""
import os

_next_port = [int(os.environ.get("VAS_E2E_PORTS", "30000"))]


def free_ports(count=2):
    """The first of `count` neighbouring ports, even; never given twice in one run."""
    first = _next_port[0]
    _next_port[0] += count + count % 2
    return first
