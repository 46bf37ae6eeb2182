"""Fails when a file includes one that stands above it: the arrows of docs/architecture.md."""
import pathlib
import re
import sys

# What each room may include, beside itself. vas/app may include everything.
ARROWS = {
    "vas/base": [],
    "media": ["vas/base"],
    "ice": ["vas/base"],
    "bridge": ["media", "ice", "vas/base"],
    "vas/tls": ["vas/base"],
    "signaling": ["media", "ice", "vas/tls", "vas/base"],
    "vas/records": ["vas/secrets", "media", "ice", "bridge", "vas/base"],
    "vas/directory": ["vas/base"],
    "vas/sessions": ["vas/directory", "vas/base"],
    "vas/secrets": ["vas/base"],
    "vas/store": ["vas/secrets", "vas/sessions", "vas/directory", "vas/webhooks", "vas/base"],
    "vas/webhooks": ["vas/base"],
    "vas/calls": ["signaling", "bridge", "media", "ice", "vas/records", "vas/sessions", "vas/directory", "vas/base"],
    "vas/api": ["vas/sessions", "vas/directory", "vas/webhooks", "vas/tls", "vas/base"],
    "tools/vasctl": ["vas/base"],
    "tools/vas-caller": ["signaling", "media", "vas/base"],
}
# sofia-sip stays in its files.
SOFIA_ROOM = "signaling/ua/"
UNCHECKED = ("vas/app", "tests", "benchmarks")


def room_of(path):
    for room in sorted(ARROWS, key=len, reverse=True):
        if path.startswith(room + "/"):
            return room
    return None


def main(root):
    faults = []
    for file in sorted(root.rglob("*")):
        relative = file.relative_to(root).as_posix()
        if file.suffix not in (".h", ".cc", ".c") or relative.startswith(("build/", ".")):
            continue
        room = room_of(relative)
        if room is None and not relative.startswith(UNCHECKED):
            faults.append(f"{relative}: in no room of cmake/check_includes.py")
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if "<sofia-sip/" in line and not relative.startswith(SOFIA_ROOM):
                faults.append(f"{relative}:{number}: sofia-sip outside {SOFIA_ROOM}")
            found = re.match(r'#include "([^"]+)"', line)
            if not found or room is None:
                continue
            target = room_of(found.group(1))
            if target is None or target == room or target in ARROWS[room]:
                continue
            faults.append(f"{relative}:{number}: {room} may not include {target}")
    print("\n".join(faults) or "includes point down")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
