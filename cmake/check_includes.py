"""Fails when a file includes one of a room that its own may not know, or when rooms know each other in a circle.

The arrows of docs/architecture.md stand here; `scripts/house` prints them.
"""
import collections
import pathlib
import re
import sys

# What each room may include, beside itself; lowest first.
ARROWS = {
    "base": [],
    "tls": ["base"],
    "media/rtp": ["base"],
    "media/codec": ["base", "media/rtp"],
    "media/srtp": ["base", "media/rtp"],
    "ice/stun": ["base"],
    "ice/agent": ["base", "ice/stun"],
    "bridge/io": ["base", "media/rtp", "media/srtp"],
    "bridge/leg": ["base", "media/rtp", "media/codec", "media/srtp", "ice/agent"],
    "bridge/kernel": ["base", "bridge/io", "bridge/leg"],
    "bridge/relay": ["base", "media/rtp", "media/srtp", "bridge/leg"],
    "bridge/worker": ["base", "media/rtp", "ice/agent", "bridge/io", "bridge/leg", "bridge/kernel", "bridge/relay"],
    "bridge/plane": ["base", "bridge/leg", "bridge/worker"],
    "signaling/sip": ["base"],
    "signaling/gateway/policy": ["base", "tls", "ice/stun", "signaling/sip"],
    "signaling/gateway/net": ["base", "tls", "signaling/sip", "signaling/gateway/policy"],
    "signaling/gateway/trace": ["base", "signaling/sip", "signaling/gateway/policy"],
    "signaling/gateway": [
        "base",
        "signaling/sip",
        "signaling/gateway/policy",
        "signaling/gateway/net",
        "signaling/gateway/trace",
    ],
    "signaling/sdp": ["base", "media/codec", "media/srtp", "ice/agent"],
    "signaling/ua": ["base", "signaling/sip", "signaling/gateway/policy", "signaling/gateway/net", "signaling/gateway"],
    "vas/directory": ["base", "signaling/sdp"],
    "vas/sessions": ["base"],
    "vas/webhooks": ["base"],
    "vas/api": ["base", "tls", "vas/directory", "vas/sessions", "vas/webhooks"],
    "vas/secrets": ["base"],
    "vas/records": ["base", "media/rtp", "ice/agent", "bridge/leg", "vas/secrets"],
    "vas/routing": ["base", "signaling/sip", "vas/directory", "vas/records"],
    "vas/calls": [
        "base",
        "bridge/leg",
        "signaling/sip",
        "signaling/sdp",
        "vas/directory",
        "vas/sessions",
        "vas/records",
        "vas/routing",
    ],
    "vas/store": ["base", "vas/directory", "vas/sessions", "vas/webhooks", "vas/secrets"],
    "vas/control": [
        "base",
        "bridge/plane",
        "signaling/sip",
        "signaling/gateway",
        "signaling/ua",
        "vas/directory",
        "vas/sessions",
        "vas/webhooks",
        "vas/api",
        "vas/records",
        "vas/routing",
        "vas/calls",
        "vas/store",
    ],
    "vas/app": [
        "base",
        "media/srtp",
        "bridge/kernel",
        "bridge/plane",
        "signaling/gateway",
        "vas/directory",
        "vas/api",
        "vas/calls",
        "vas/store",
        "vas/control",
    ],
    "tools/vasctl": ["base"],
    "tools/vas-caller": ["base", "media/codec", "signaling/sip", "signaling/gateway", "signaling/sdp", "signaling/ua"],
}
# Tests and benchmarks stand beside the house and may look into every room.
BESIDE = ("tests", "benchmarks")
# sofia-sip stays in its files.
SOFIA_ROOM = "signaling/ua"
SOURCES = (".h", ".cc", ".c")
DEEPEST = max(room.count("/") for room in ARROWS) + 1


def room_of(path):
    """The room whose folder the file lies in itself; None for a file that lies in no room."""
    folder = path.rsplit("/", 1)[0]
    return folder if folder in ARROWS else None


def includes(root):
    """(file, line, included) of every include of a file of ours, and every sofia-sip include."""
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root).as_posix()
        if file.suffix not in SOURCES or path.startswith(("build/", ".")):
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            found = re.match(r'#include ("([^"]+/[^"]+)"|<(sofia-sip/[^>]+)>)', line)
            if found:
                yield path, number, found.group(2) or found.group(3)
        yield path, 0, None


def circles(edges):
    """Groups of names that lead to one another (Tarjan's strongly connected components)."""
    found, index, low, stack = [], {}, {}, []

    def visit(name):
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(edges.get(name, ())):
            if other not in index:
                visit(other)
            if other in stack:
                low[name] = min(low[name], low[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in sorted(edges):
        if name not in index:
            visit(name)
    return found


def circles_by_level(arrows):
    """Circles between rooms, and between the folders that hold them, from the top level down."""
    for level in range(1, DEEPEST + 1):
        edges = collections.defaultdict(set)
        for room, others in arrows.items():
            for other in others:
                near, far = ("/".join(each.split("/")[:level]) for each in (room, other))
                if near != far:
                    edges[near].add(far)
        for group in circles(edges):
            yield level, group


def main(root):
    faults, seen = [], collections.defaultdict(set)
    for path, number, included in includes(root):
        room = room_of(path)
        beside = path.split("/")[0] in BESIDE
        if room is None and not beside:
            if included is None:
                faults.append(f"{path}: in no room of cmake/check_includes.py")
            continue
        if included is None:
            continue
        if included.startswith("sofia-sip/"):
            if room != SOFIA_ROOM:
                faults.append(f"{path}:{number}: sofia-sip outside {SOFIA_ROOM}")
            continue
        target = room_of(included)
        if beside or target is None or target == room:
            continue
        seen[room].add(target)
        if target not in ARROWS[room]:
            faults.append(f"{path}:{number}: {room} may not include {target}")
    for room, others in ARROWS.items():
        faults += [
            f"{room} does not include {other}: take the arrow out" for other in others if other not in seen[room]
        ]
    faults += [f"a circle at level {level}: {' '.join(group)}" for level, group in circles_by_level(seen)]
    print("\n".join(faults) or "includes point down")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
