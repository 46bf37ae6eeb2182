"""Places both kinds of call between simulated callers, and prints what each heard and the two records."""
import http.client
import http.server
import json
import pathlib
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

BIN = pathlib.Path(__file__).resolve().parents[1] / "build/release/bin"
KEY, DOMAIN, TRUNK = "XIdemo", "demo.example", "127.0.0.9"


def free_port(address="127.0.0.1"):
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


def backend(notifications):
    """The customer's control endpoint: takes every incoming call, and passes its notification on."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            notifications.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def api(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(
        method, path, body and json.dumps(body), {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    )
    response = connection.getresponse()
    return response.status, json.loads(response.read() or "null")


def caller(*flags):
    process = subprocess.Popen(
        [BIN / "vas-caller", "--announce", *map(str, flags)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stderr.readline()  # it listens
    return process


def heard(name, process, expected):
    report = json.loads(process.communicate(timeout=30)[0])
    good = report["outcome"] == "answered" and abs(report["tone_hz"] - expected) < 15 and report["tone_share"] > 0.95
    print(
        f"  {name:<22} heard {report['tone_hz']:.0f} Hz ({100 * report['tone_share']:.0f} % of the energy) for "
        f"{report['talked_s']:.1f} s: {report['received']} packets, {report['lost'] if report['lost'] > 0 else 0} lost"
        f"{'' if good else f'  <- expected {expected} Hz'}"
    )
    return good


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vas-demo-"))
    notifications = queue.Queue()
    sip, http_port, trunk = free_port(), free_port(), free_port(TRUNK)
    (folder / "directory.json").write_text(
        json.dumps(
            {
                "tenants": [{"id": 1}],
                "domains": [
                    {
                        "id": 1,
                        "tenantId": 1,
                        "name": DOMAIN,
                        "profile": {
                            "registration-free-control-endpoint": f"http://127.0.0.1:{backend(notifications)}/incoming"
                        },
                    }
                ],
                "subscribers": [
                    {"id": 1, "domainId": 1, "msisdn": "15550001"},
                    {"id": 2, "domainId": 1, "msisdn": "15550002"},
                ],
                "trunks": [
                    {"id": 1, "domainId": 1, "name": "loopback", "sources": [TRUNK], "targets": [f"{TRUNK}:{trunk}"]}
                ],
                "apiKeys": [{"id": 1, "key": KEY, "scope": "system"}],
            }
        )
    )
    log = open(folder / "vas.log", "w")
    server = subprocess.Popen(
        [
            BIN / "vas",
            "--webhook-allow",
            "127.0.0.0/8",
            "--peer-allow",
            "127.0.0.0/8",
            "--data-dir",
            folder / "data",
            "--directory",
            folder / "directory.json",
            "--sip-listen",
            f"127.0.0.1:{sip}",
            "--http-listen",
            f"127.0.0.1:{http_port}",
        ],
        stdout=log,
        stderr=log,
    )
    try:
        for _ in range(100):
            try:
                api(http_port, "GET", "/readyz")
                break
            except OSError:
                time.sleep(0.1)
        good = outgoing(sip, http_port, trunk) and incoming(sip, http_port, notifications)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(15)
    print("\nThe two records:")
    records = (folder / "data/records.jsonl").read_text().splitlines()
    for line in records:
        print(json.dumps(json.loads(line), indent=2))
    if not good or len(records) != 2:
        print(f"\nThe demo failed; the server's log is {folder}/vas.log", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


def outgoing(sip, http_port, trunk):
    print("Outgoing: the app's backend asks for a token, the subscriber dials with it, unregistered.")
    carrier = caller("--listen", f"{TRUNK}:{trunk}", "--tone", 440, "--seconds", 0)
    status, session = api(http_port, "POST", f"/calls/{DOMAIN}/outgoing/15550001", {"destination": "63121233333"})
    print(f"  POST /calls/{DOMAIN}/outgoing/15550001 -> {status}, token {session['token']}")
    alice = caller(
        "--dial",
        f"sip:any@127.0.0.1:{sip}",
        "--token",
        session["token"],
        "--domain",
        DOMAIN,
        "--tone",
        1000,
        "--seconds",
        3,
    )
    return all([heard("the subscriber", alice, 440), heard("the carrier's party", carrier, 1000)])


def incoming(sip, http_port, notifications):
    print(
        "\nIncoming: the carrier calls, the backend is notified, the caller is parked, the subscriber presents the token."
    )
    trunk = caller(
        "--listen",
        f"{TRUNK}:0",
        "--from",
        "+15155558484",
        "--dial",
        f"sip:15550002@127.0.0.1:{sip}",
        "--tone",
        440,
        "--seconds",
        0,
    )
    token = notifications.get(timeout=10)["session"]
    answer = []
    poll = threading.Thread(
        target=lambda: answer.append(api(http_port, "GET", f"/calls/{DOMAIN}/ringing/15550002/{token}"))
    )
    poll.start()
    time.sleep(0.5)
    bob = caller(
        "--dial", f"sip:any@127.0.0.1:{sip}", "--token", token, "--domain", DOMAIN, "--tone", 1000, "--seconds", 3
    )
    poll.join(10)
    print(f"  the backend was notified of token {token}; the ringing poll returned {answer[0][0]} {answer[0][1]}")
    return all([heard("the subscriber", bob, 440), heard("the caller", trunk, 1000)])


if __name__ == "__main__":
    sys.exit(main())
