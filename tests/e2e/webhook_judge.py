"""Standard Webhooks by its own library: npm's `standardwebhooks`, installed when it is first needed."""
import fcntl
import json
import subprocess

from harness import HERE

SOURCES = HERE / "webhooks"
BUILD = HERE.parents[1] / "build/webhooks"


def installed():
    stamp = b"".join(
        (SOURCES / name).read_bytes() for name in ("package.json", "package-lock.json", ".npmrc", "verify.mjs")
    )
    marker = BUILD / "stamp"
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        if not marker.exists() or marker.read_bytes() != stamp:
            for name in ("package.json", "package-lock.json", ".npmrc", "verify.mjs"):
                (BUILD / name).write_bytes((SOURCES / name).read_bytes())
            done = subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund"],
                cwd=BUILD,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )
            if done.returncode:
                raise AssertionError(f"npm ci failed:\n{(done.stdout + done.stderr)[-3000:]}")
            marker.write_bytes(stamp)
    return BUILD / "verify.mjs"


def verdicts(requests):
    """Of each (secret, whether it is used as it stands, body, headers): True, or the library's complaint."""
    lines = [
        json.dumps({"secret": secret, "raw": raw, "body": body.decode(), "headers": headers})
        for secret, raw, body, headers in requests
    ]
    done = subprocess.run(
        ["node", installed()], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=120, check=True
    )
    return [line == "true" or line for line in done.stdout.splitlines()]
