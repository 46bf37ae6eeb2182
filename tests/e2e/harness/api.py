"""The server's API, as a backend and a callee's app use it."""
import http.client
import json
import threading

from .settings import ALICE, BOB, DOMAIN, KEY, SLOW


class ApiClient:
    """The API as a system key's holder uses it. `address` and `http_port` are where it is."""

    def request(self, method, path, body=None, key=KEY, timeout=60, fields=()):
        connection = http.client.HTTPConnection(self.address, self.http_port, timeout=timeout)
        headers = {**({"Authorization": "bearer " + key} if key else {}), **dict(fields)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
            if response.status == 205:  # the client library hides a 205's body
                return response.status, {"status": response.headers["X-Session-Status"]}
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    def text(self, path):
        """The body of a GET that is not JSON."""
        connection = http.client.HTTPConnection(self.address, self.http_port, timeout=10)
        try:
            connection.request("GET", path, headers={"Authorization": "Bearer " + KEY})
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def make_outgoing(self, destination="999", msisdn=ALICE, **fields):
        status, session = self.request(
            "POST", f"/calls/{DOMAIN}/outgoing/{msisdn}", {"destination": destination, **fields}
        )
        assert status == 200, session
        return session

    def session(self, token):
        return self.request("GET", f"/calls/{DOMAIN}/sessions/{token}")


class Poll(threading.Thread):
    """A ringing long poll in the background."""

    def __init__(self, vas, token, msisdn=BOB):
        super().__init__(daemon=True)
        self.vas, self.path, self.result = vas, f"/calls/{DOMAIN}/ringing/{msisdn}/{token}", None
        self.start()

    def run(self):
        self.result = self.vas.request("GET", self.path, key=None)

    def wait(self, seconds=30):
        self.join(seconds * SLOW)
        return self.result
