#!/usr/bin/env python3
"""A backend for VAS: authorises outgoing calls, and wakes the app for incoming ones.

    VAS=https://voice.example.com VAS_KEY=XI... VAS_DOMAIN=demo.example VAS_SECRET=whsec_... ./backend.py 9090

VAS_SECRET is the domain's `webhook-secret`; without it anybody who reaches /incoming can make phones ring.
The app logs in its own way, which is left out here, and then asks:
    POST /dial/<its number>/<number to call>   -> {"token": ...}: dial it with the header X-Cloudonix-Session
    GET  /wait/<its number>                    -> {"token": ..., "caller": ...} when somebody calls it;
                                                  204 after a while: ask again
    POST /reject/<token>                       -> the caller hears that the line is busy
"""
import base64
import collections
import hashlib
import hmac
import http.client
import http.server
import json
import os
import queue
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

VAS, KEY, DOMAIN = os.environ["VAS"], os.environ["VAS_KEY"], os.environ["VAS_DOMAIN"]
SECRET = os.environ.get("VAS_SECRET", "")
TRIES, PATIENCE, LONGEST_WAIT = (
    4,
    5,
    25,
)  # how often VAS is asked; seconds for each answer; seconds that an app waits at once
OLDEST = 5 * 60  # seconds that a signed request is believed: a copy of it is worth nothing later

ringing = collections.defaultdict(queue.Queue)  # number -> calls that wait for it; a real one would send a push message
seen = collections.OrderedDict()  # webhook-id of the last notifications: one that is repeated rings once
seen_lock = threading.Lock()


def said_by(text):
    """A proxy in front of VAS says what it has to say in HTML."""
    try:
        return json.loads(text or b"null")
    except ValueError:
        return {"detail": "What answered is not VAS."}


def ask_vas(method, path, body=None):
    """(status, JSON). A VAS that is away, restarting or busy is asked again; one that says no is believed."""
    request = urllib.request.Request(
        f"{VAS}/calls/{DOMAIN}/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": "Bearer " + KEY, "Content-Type": "application/json"},
    )
    if method == "POST":  # whatever became of the tries before, they make one session
        request.add_header("Idempotency-Key", f'"{uuid.uuid4()}"')
    for wait in [*(0.5 * 2**n for n in range(TRIES - 1)), None]:
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, said_by(answer.read())
        except urllib.error.HTTPError as refusal:
            status, said = refusal.code, refusal.read()
            if status not in (429, 503) or wait is None:
                return status, said_by(said)
        except (OSError, http.client.HTTPException) as failure:  # refused, reset, cut off, no answer in time
            if wait is None:
                return 502, {"detail": f"VAS cannot be reached: {failure}"}
        time.sleep(wait)


def is_signed(headers, body):
    """Standard Webhooks: one of the signatures is that of our secret, and it is not old."""
    if not SECRET:
        return True
    key = base64.b64decode(SECRET.removeprefix("whsec_")) if SECRET.startswith("whsec_") else SECRET.encode()
    number, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > OLDEST:
        return False
    expected = base64.b64encode(
        hmac.new(key, f"{number}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    ).decode()
    given = (each.partition(",") for each in headers.get("webhook-signature", "").split())
    return any(
        version == "v1" and hmac.compare_digest(signature.encode(), expected.encode())
        for version, _, signature in given
    )


def is_new(number):
    with seen_lock:
        is_known = number in seen
        seen[number] = True
        while len(seen) > 1000:
            seen.popitem(last=False)
        return not is_known


class Backend(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    timeout = 60

    def answer(self, status, body=None):
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        match self.path.split("/")[1:]:
            case ["dial", number, destination]:  # here an application checks credit, and who may call where
                status, session = ask_vas(
                    "POST", f"outgoing/{number}", {"destination": urllib.parse.unquote(destination), "timeLimit": 3600}
                )
                self.answer(status, {"token": session["token"]} if status == 200 else session)
            case ["reject", token]:
                status, said = ask_vas("DELETE", f"sessions/{token}?reason=busy")
                self.answer(status, said)
            case ["incoming"] if not is_signed(self.headers, body):
                self.answer(401, {"detail": "The signature is not ours, or old."})
            case ["incoming"]:  # VAS tells of a call: any 2xx parks it until the app dials with its token
                call = json.loads(body)
                if is_new(self.headers["webhook-id"]):
                    ringing[call["dnid"]].put({"token": call["session"], "caller": call["caller-id"]})
                self.answer(204)
            case _:
                self.answer(404, {"detail": "There is nothing here."})

    def do_GET(self):
        match self.path.split("/")[1:]:
            case ["wait", number]:
                self.wait(ringing[number])
            case _:
                self.answer(404, {"detail": "There is nothing here."})

    def wait(self, calls):
        try:
            call = calls.get(timeout=LONGEST_WAIT)
        except queue.Empty:
            return self.answer(204)
        if ask_vas("GET", f"sessions/{call['token']}")[0] == 404:
            return self.answer(204)  # the caller gave up meanwhile
        try:
            self.answer(200, call)
        except OSError:  # the app has gone: when it comes back, the call is still there
            calls.put(call)
            self.close_connection = True


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Backend).serve_forever()
