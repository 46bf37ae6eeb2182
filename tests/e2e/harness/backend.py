"""A customer's backend: what it is asked, and what it is told by callbacks."""
import http.server
import json
import threading


class Backend:
    """The customer's control endpoint (/incoming), its routing application (/application), and a receiver of callbacks
    (all other paths). `answer` is what the first is answered, `instructions` the body of the second's answer;
    `callback_answer` gets the path and the callback, and returns a status."""

    def __init__(self, address="127.0.0.1"):
        backend = self
        self.notifications, self.callbacks = [], []
        self.posts = []  # of both, as they came: (path, body, headers)
        self.answer = 204
        self.instructions = b""
        self.callback_answer = lambda path, body: 200

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                content = self.rfile.read(int(self.headers["Content-Length"]))
                body = json.loads(content)
                backend.posts.append((self.path, content, dict(self.headers)))
                is_notification = self.path in ("/incoming", "/application")
                (backend.notifications if is_notification else backend.callbacks).append((body, dict(self.headers)))
                status = backend.answer if is_notification else backend.callback_answer(self.path, body)
                if isinstance(status, list):
                    status = status.pop(0) if len(status) > 1 else status[0]
                answer = backend.instructions if self.path == "/application" else b""
                self.send_response(status)
                if status in (301, 302, 307, 308):
                    self.send_header("Location", "/redirected")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 256  # of connections not accepted yet; 5 would drop the SYNs of a burst

            def handle_error(self, *_):
                """A server that was killed leaves its connections; nobody needs to read that."""

        self.server = Server((address, 0), Handler)
        self.url = f"http://{address}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
