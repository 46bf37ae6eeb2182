"""Writes a demo directory once: two subscribers, a loopback trunk, an API key. Prints what to try with it."""
import json
import pathlib
import secrets
import sys

folder = pathlib.Path(sys.argv[1])
folder.mkdir(exist_ok=True)
key_file = folder / "api-key"
if not key_file.exists():
    key_file.touch(mode=0o600)
    key_file.write_text("XI" + secrets.token_hex(16))
key = key_file.read_text()
directory = folder / "directory.json"
if not directory.exists():
    directory.touch(mode=0o600)
    directory.write_text(
        json.dumps(
            {
                "tenants": [{"id": 1, "name": "Demo"}],
                "domains": [
                    {
                        "id": 1,
                        "tenantId": 1,
                        "name": "demo.example",
                        "profile": {"registration-free-control-endpoint": "http://127.0.0.1:9090/incoming"},
                    }
                ],
                "subscribers": [
                    {"id": 1, "domainId": 1, "msisdn": "15550001"},
                    {"id": 2, "domainId": 1, "msisdn": "15550002"},
                ],
                "trunks": [
                    {
                        "id": 1,
                        "domainId": 1,
                        "name": "loopback",
                        "sources": ["127.0.0.9"],
                        "targets": ["127.0.0.9:5090"],
                    }
                ],
                "apiKeys": [{"id": 1, "key": key, "scope": "system"}],
            },
            indent=2,
        )
        + "\n"
    )

print(
    f"""
VAS with the domain demo.example: subscribers 15550001 and 15550002, a trunk at 127.0.0.9:5090.
API key: {key}

An outgoing call, in two other terminals:
  build/release/bin/vas-caller --listen 127.0.0.9:5090 --tone 440 --seconds 0       # the carrier's side: waits
  curl -s -X POST -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
       -d '{{"destination": "63121233333"}}' http://127.0.0.1:8080/calls/demo.example/outgoing/15550001
  build/release/bin/vas-caller --dial sip:any@127.0.0.1:5060 --domain demo.example --tone 1000 --token TOKEN
Or from a browser, in place of the last line:
  http://127.0.0.1:8080/phone/#domain=demo.example&token=TOKEN
What became of it:
  build/release/bin/vasctl --data-dir .run/data cdr --last 5
Both kinds of call by themselves: ./run --demo
""",
    flush=True,
)
