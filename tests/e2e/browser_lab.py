"""Headless Chromium driven over WebDriver, on pages that the test serves itself."""
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
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
         "--autoplay-policy=no-user-gesture-required", "--ignore-certificate-errors"]


def bundle():
    """JsSIP as one script, made anew when its lock file changed."""
    BUILD.mkdir(parents=True, exist_ok=True)
    source = HERE / "browser"
    stamp = (source / "package-lock.json").read_bytes() + (source / "entry.js").read_bytes()
    made, marker = BUILD / "jssip.js", BUILD / "stamp"
    if made.exists() and marker.exists() and marker.read_bytes() == stamp:
        return made
    for name in ("package.json", "package-lock.json", "entry.js", ".npmrc"):
        (BUILD / name).write_bytes((source / name).read_bytes())
    log = BUILD / "npm.log"
    with open(log, "wb") as out:
        for command in (["npm", "ci", "--no-audit", "--no-fund"],
                        ["npx", "esbuild", "entry.js", "--bundle", "--format=iife", "--outfile=jssip.js"]):
            if subprocess.run(command, cwd=BUILD, stdout=out, stderr=out, stdin=subprocess.DEVNULL).returncode:
                raise AssertionError(f"{command} failed:\n{log.read_text()[-3000:]}")
    marker.write_bytes(stamp)
    return made


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
    """One Chromium with one page."""

    def __init__(self, url):
        self.folder = tempfile.TemporaryDirectory(prefix="vas-chromium-", ignore_cleanup_errors=True)
        port = free_ports()
        with open(pathlib.Path(self.folder.name) / "driver.log", "wb") as log:
            self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                           preexec_fn=die_with_parent, env={**os.environ, "HOME": self.folder.name})
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
        options = {"binary": "/usr/bin/chromium", "args": [*FLAGS, f"--user-data-dir={self.folder.name}/profile"]}
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

    def stop(self):
        try:
            self.call("DELETE", "")
        except (OSError, AssertionError):
            pass
        self.driver.terminate()
        self.driver.wait(10)
        self.folder.cleanup()
