"""What the tests of the API stand on: two tenants, keys of every scope, the OpenAPI document, and raw HTTP."""
import http.client
import io
import json
import socket

from harness import HERE, SLOW, TRUNK, E2eTest, wait_until

DOCUMENT = json.loads((HERE.parents[1] / "vas/api/openapi.json").read_text())
# Those of the requests that tests send whole (ApiTest.verbatim).
MSISDN, OTHER_MSISDN, INACTIVE = "972547340014", "972547340015", "972547340016"
KEYS = {
    "system": "XI1234567890",
    "tenant": "XItenant1",
    "domain": "XIdomain3",
    "application": "XIapplication3",
    "foreign tenant": "XItenant2",
    "foreign domain": "XIdomain20",
    "foreign application": "XIapplication20",
    "sister domain": "XIdomain12",
}


def directory_of(backend_url):
    profile = {
        "registration-free-control-endpoint": backend_url + "/incoming",
        "webhook-secret": "s3cret",
        "call-timeout": 20,
    }

    def key(number, name, scope, **owner):
        return {"id": number, "name": name, "key": KEYS[name], "scope": scope, **owner}

    return {
        "tenants": [{"id": 1, "name": "ours"}, {"id": 2, "name": "theirs"}],
        "domains": [
            {"id": 3, "tenantId": 1, "name": "example.com", "aliases": ["alias.example.com"], "profile": profile},
            {"id": 12, "tenantId": 1, "name": "sister.example", "profile": {}},
            {"id": 20, "tenantId": 2, "name": "rival.example", "profile": profile},
        ],
        "subscribers": [
            {"id": 372, "domainId": 3, "msisdn": MSISDN},
            {"id": 373, "domainId": 3, "msisdn": OTHER_MSISDN},
            {"id": 374, "domainId": 3, "msisdn": INACTIVE, "active": False},
            {"id": 400, "domainId": 20, "msisdn": "15551234"},
        ],
        "trunks": [
            {"id": 7, "domainId": 3, "name": "carrier", "sources": [TRUNK], "targets": [f"{TRUNK}:9"]},
            {"id": 8, "domainId": 20, "name": "theirs", "sources": ["198.51.100.0/24"]},
        ],
        "apiKeys": [
            key(1, "system", "system"),
            key(2, "tenant", "tenant", tenantId=1),
            key(3, "domain", "domain", domainId=3),
            key(4, "application", "application", domainId=3),
            key(5, "foreign tenant", "tenant", tenantId=2),
            key(6, "foreign domain", "domain", domainId=20),
            key(7, "foreign application", "application", domainId=20),
            key(8, "sister domain", "domain", domainId=12),
        ],
    }


class Answer:
    """One HTTP answer, its 205 body too, which client libraries hide."""

    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = http.client.parse_headers(io.BytesIO(("\r\n".join(lines[1:]) + "\r\n\r\n").encode()))

    @property
    def json(self):
        return json.loads(self.body)


class ApiTest(E2eTest):
    @classmethod
    def edit_directory(cls, directory):
        directory.clear()
        directory.update(directory_of(cls.backend.url))

    def raw(self, data, seconds=15):
        """Sends bytes as they are, and reads one answer."""
        with socket.create_connection(("127.0.0.1", self.vas.http_port), timeout=seconds * SLOW) as connection:
            connection.sendall(data)
            return self.read_answer(connection, not data.startswith(b"HEAD "))

    def verbatim(self, head, body):
        """A request written out whole, as a client sends it, with the length that HTTP needs."""
        lines = [*head.strip().split("\n"), f"Content-Length: {len(body)}"]
        return self.raw(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    @staticmethod
    def read_answer(connection, has_body=True):
        raw = b""
        while b"\r\n\r\n" not in raw:
            piece = connection.recv(65536)
            if not piece:
                return None  # closed without an answer
            raw += piece
        answer = Answer(raw)
        length = int(answer.headers["Content-Length"] or 0) if has_body else 0
        while len(answer.body) < length:
            answer.body += connection.recv(65536)
        return answer

    def call(self, method, path, body=None, key="system", headers=(), raw_body=None):
        content = raw_body if raw_body is not None else b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        if key:
            lines.append(f"Authorization: Bearer {KEYS.get(key, key)}")
        if content or method in ("POST", "PATCH"):
            lines += [f"Content-Length: {len(content)}"]
            if not any(each.lower().startswith("content-type") for each in headers):
                lines.append("Content-Type: application/json")
        return self.raw(("\r\n".join([*lines, *headers]) + "\r\n\r\n").encode() + content)

    def wait_for_polls(self, count):
        wait_until(
            lambda: f"\nvas_ringing_polls {count}\n".encode() in self.call("GET", "/metrics").body,
            10,
            f"{count} waiting polls",
        )

    def outgoing(self, key="system", **fields):
        answer = self.call(
            "POST", f"/calls/example.com/outgoing/{MSISDN}", {"destination": "63121233333", **fields}, key
        )
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def incoming(self, key="system", msisdn=MSISDN, **fields):
        answer = self.call(
            "POST", f"/calls/example.com/incoming/{msisdn}", {"origination": "63121233333", **fields}, key
        )
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json
