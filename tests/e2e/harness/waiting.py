"""Waiting for what others bring about."""
import time

from .settings import SLOW


def wait_until(condition, seconds=10, what="condition"):
    deadline = time.monotonic() + seconds * SLOW
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true within {seconds * SLOW:.0f} s")
