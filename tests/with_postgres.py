"""Runs a program with a throw-away PostgreSQL, whose URL is in VAS_TEST_POSTGRESQL."""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "e2e"))
from postgres_lab import Postgres  # noqa: E402

if __name__ == "__main__":
    server = Postgres()
    try:
        sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, "VAS_TEST_POSTGRESQL": server.url}).returncode)
    finally:
        server.remove()
