"""vas/api/openapi.json before others' judges, redocly and
spectral, and before a reader: every field says what it is."""
import fcntl
import json
import os
import subprocess
import unittest

from harness import HERE

DOCUMENT = HERE.parents[1] / "vas/api/openapi.json"
RULES = HERE / "openapi"
BUILD = HERE.parents[1] / "build/openapi"


def judges():
    """Installed once; `npm ci` takes what the lock file says, and runs none of the packages' scripts."""
    stamp = (RULES / "package-lock.json").read_bytes()
    marker = BUILD / "stamp"
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_bytes() != stamp:
            for name in ("package.json", "package-lock.json", ".npmrc"):
                (BUILD / name).write_bytes((RULES / name).read_bytes())
            done = subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=BUILD,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )
            if done.returncode:
                raise AssertionError(f"npm ci failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
            marker.write_bytes(stamp)
    return BUILD / "node_modules/.bin"


def fields(schema, path):
    """Every property of a schema, those of its parts too."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from fields(schema["items"], path + "[]")


class OpenApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.document = json.loads(DOCUMENT.read_text())

    def judge(self, *command):
        done = subprocess.run(
            [judges() / command[0], *command[1:]],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        )
        self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr[-4000:])
        return done.stdout + done.stderr

    def test_redocly_has_nothing_to_say(self):
        said = self.judge("redocly", "lint", "--config", RULES / "redocly.yaml", DOCUMENT)
        self.assertIn("is valid", said)
        self.assertNotRegex(said, r"\d+ warning")

    def test_spectral_has_nothing_to_say(self):
        # But one rule: it takes the scopes of keys, which OpenAPI 3.1 lets stand at any kind of scheme, for OAuth's.
        said = self.judge("spectral", "lint", "--ruleset", RULES / "spectral.json", "--fail-severity", "hint", DOCUMENT)
        self.assertIn("No results", said)

    def test_every_field_says_what_it_is(self):
        bare = [
            path
            for name, schema in self.document["components"]["schemas"].items()
            for path, field in fields(schema, name)
            if "$ref" not in field and not field.get("description")
        ]
        self.assertEqual(bare, [])

    def test_numbers_of_time_say_their_unit(self):
        of_time = ("Limit", "At", "Time", "timeout", "ttl", "seconds")
        bare = [
            path
            for name, schema in self.document["components"]["schemas"].items()
            for path, field in fields(schema, name)
            if "integer" in (field.get("type") or []) and path.endswith(of_time) and "econd" not in field["description"]
        ]
        self.assertEqual(bare, [])

    def test_what_backends_are_asked_stands_there(self):
        self.assertEqual(sorted(self.document["webhooks"]), ["incomingCall", "routeCall"])
        for path in ("/calls/{domain}/outgoing/{msisdn}", "/calls/{domain}/incoming/{msisdn}"):
            self.assertIn("onSessionChanged", self.document["paths"][path]["post"]["callbacks"])
        self.assertGreater(len(self.document["servers"]), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
