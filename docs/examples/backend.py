#!/usr/bin/env python3
"""A backend for VAS in 60 lines: authorises outgoing calls, and wakes the app for incoming ones.

    VAS=http://127.0.0.1:8080 VAS_KEY=XI... VAS_DOMAIN=demo.example ./backend.py 9090

The app logs in its own way, which is left out here, and then asks:
    POST /dial/<its number>/<number to call>   -> {"token": ...}: dial it with the header X-Cloudonix-Session
    GET  /wait/<its number>                    -> {"token": ..., "caller": ...} when somebody calls it
    POST /reject/<token>                       -> the caller hears that the line is busy
"""
import collections
import http.server
import json
import os
import queue
import sys
import urllib.request

VAS, KEY, DOMAIN = os.environ["VAS"], os.environ["VAS_KEY"], os.environ["VAS_DOMAIN"]
ringing = collections.defaultdict(queue.Queue)  # number -> calls that wait for it; a real one would send a push message


def ask_vas(method, path, body=None):
    request = urllib.request.Request(f"{VAS}/calls/{DOMAIN}/{path}", method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Authorization": "Bearer " + KEY, "Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or b"null")


class Backend(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body=None):
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        match self.path.split("/")[1:]:
            case ["dial", number, destination]:  # here an application checks credit, and who may call where
                session = ask_vas("POST", f"outgoing/{number}", {"destination": destination, "timeLimit": 3600})
                self.answer(200, {"token": session["token"]})
            case ["reject", token]:
                ask_vas("DELETE", f"sessions/{token}?reason=busy")
                self.answer(204)
            case ["incoming"]:  # VAS tells of a call: any 2xx parks it until the app dials with its token
                call = json.loads(body)
                ringing[call["dnid"]].put({"token": call["session"], "caller": call["caller-id"]})
                self.answer(204)
            case _:
                self.answer(404)

    def do_GET(self):
        match self.path.split("/")[1:]:
            case ["wait", number]:
                self.answer(200, ringing[number].get())
            case _:
                self.answer(404)


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Backend).serve_forever()
