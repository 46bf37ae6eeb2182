"""Headless Chromium driven over WebDriver, on pages that the test serves itself."""
import base64
import fcntl
import http.server
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from harness import HERE, SLOW, die_with_parent, free_ports

BUILD = HERE.parents[1] / "build/browser"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--ignore-certificate-errors",
]


PHONE = HERE.parents[1] / "web/phone"


def bundle():
    """The browser phone and JsSIP alone, bundled anew when a
    source changed. What is committed of the phone must be this."""
    sources = [PHONE / name for name in ("package.json", "package-lock.json", ".npmrc")] + sorted(
        PHONE.glob("src/*.js")
    )
    sources.append(HERE / "browser/entry.js")
    stamp = b"".join(source.read_bytes() for source in sources)
    marker = BUILD / "stamp"
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        if not marker.exists() or marker.read_bytes() != stamp:
            make_bundles(sources)
            marker.write_bytes(stamp)
    if (BUILD / "phone.js").read_bytes() != (PHONE / "phone.js").read_bytes():
        raise AssertionError("web/phone/phone.js is not what its sources make: `npm ci && npm run bundle` there")
    return BUILD / "jssip.js"


def make_bundles(sources):
    (BUILD / "src").mkdir(parents=True, exist_ok=True)
    for source in sources:
        (BUILD / ("src" if source.parent.name == "src" else "") / source.name).write_bytes(source.read_bytes())
    log = BUILD / "npm.log"
    with open(log, "wb") as out:
        for command in (
            ["npm", "ci", "--no-audit", "--no-fund"],
            ["npm", "run", "bundle"],
            ["npx", "esbuild", "entry.js", "--bundle", "--format=iife", "--outfile=jssip.js"],
        ):
            if subprocess.run(command, cwd=BUILD, stdout=out, stderr=out, stdin=subprocess.DEVNULL).returncode:
                raise AssertionError(f"{command} failed:\n{log.read_text()[-3000:]}")


class Pages:
    """Serves the folder browser/ and the bundle on loopback: a secure context for the browser."""

    def __init__(self):
        script = bundle()

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(HERE / "browser"))

            def translate_path(self, path):
                return str(script) if path == "/jssip.js" else super().translate_path(path)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Browser:
    """One Chromium with one page. `speaks`: the WAV file that its microphone hears."""

    def __init__(self, url, speaks=None, flags=()):
        self.folder = tempfile.TemporaryDirectory(prefix="vas-chromium-", ignore_cleanup_errors=True)
        port = free_ports()
        with open(pathlib.Path(self.folder.name) / "driver.log", "wb") as log:
            self.driver = subprocess.Popen(
                ["chromedriver", f"--port={port}"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
                env={**os.environ, "HOME": self.folder.name},
            )
        self.base = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 30 * SLOW
        while True:
            try:
                if self.call("GET", "/status")["ready"]:
                    break
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise AssertionError("chromedriver did not start")
            time.sleep(0.1)
        options = {
            "binary": "/usr/bin/chromium",
            "args": [
                *FLAGS,
                f"--user-data-dir={self.folder.name}/profile",
                *([f"--use-file-for-fake-audio-capture={speaks}"] if speaks else []),
                *flags,
            ],
        }
        made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self.base += f"/session/{made['sessionId']}"
        self.call("POST", "/timeouts", {"script": 30000})
        self.call("POST", "/url", {"url": url})

    def call(self, method, path, body=None):
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60 * SLOW) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as failure:
            raise AssertionError(f"{method} {path}: {failure.read().decode()[:1500]}") from None

    def run(self, script, *arguments):
        """The value of a script's `return`; a promise is waited for."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def press(self, key):
        """One key, as from a keyboard, wherever the focus is."""
        keys = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": keys}]})

    def resize(self, width, height):
        self.call(
            "POST",
            "/goog/cdp/execute",
            {
                "cmd": "Emulation.setDeviceMetricsOverride",
                "params": {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 600},
            },
        )

    def screenshot(self, name):
        """Kept for a person to look at, in build/browser/screenshots."""
        folder = BUILD / "screenshots"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(base64.b64decode(self.call("GET", "/screenshot")))

    def stop(self):
        try:
            self.call("DELETE", "")
        except (OSError, AssertionError):
            pass
        self.driver.terminate()
        self.driver.wait(10)
        self.folder.cleanup()
