"""What the stand-ins for hubs share: a server on 127.0.0.1, and what goes wrong on the way."""

import contextlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

# What is done to files on their way, by the name of the fault.
FAULTS = {
    # All bytes but one are right, and as many as were said.
    "altered": lambda content: bytes([content[0] ^ 1]) + content[1:],
    # The connection closes in the middle.
    "cut short": lambda content: content[: len(content) // 2],
}


class Answer(Exception):
    """What a request gets."""

    def __init__(self, content=b"", status=200, **headers):
        if not isinstance(content, bytes):
            content, headers = json.dumps(content).encode(), {"Content-Type": "application/json"}
        self.content, self.status = content, status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Server:
    """A server whose `routes` are pairs of a pattern of `METHOD /path` and a method.

    That method is called with what the pattern found and the request, and returns or raises an
    `Answer`. `requests` has the lines of all that was asked; `faults` what is done to files, by
    their endings; `down` an HTTP status that everything gets.
    """

    routes = ()

    def __init__(self):
        self.requests, self.faults, self.down = [], {}, None
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    @contextlib.contextmanager
    def running(self):
        """Serves as long as the context lasts."""
        thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.close()
            thread.join()

    def close(self):
        """Answers no more."""
        self._http.shutdown()
        self._http.server_close()

    def answer(self, line, request):
        """What a request gets, by the first route that fits."""
        self.requests.append(line)
        if self.down:
            return Answer(status=self.down)
        for pattern, method in self.routes:
            if found := re.fullmatch(pattern, line):
                try:
                    return method(self, request, *found.groups())
                except Answer as answer:
                    return answer
        return Answer({"error": f"There is no {line}"}, 404)

    def spoiled(self, name, content):
        """A file as it arrives."""
        for ending, fault in self.faults.items():
            if name.endswith(ending):
                return FAULTS[fault](content)
        return content

    def _handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                # Some bodies come in chunks, of which there is no length.
                length = self.headers.get("Content-Length")
                self.body = self.rfile.read(int(length)) if length else self._chunks()
                path = unquote(urlsplit(self.path).path)
                answer = server.answer(f"{self.command} {path}", self)
                self.send_response(answer.status)
                answer.headers.setdefault("Content-Length", len(answer.content))
                for name, value in answer.headers.items():
                    self.send_header(name, str(value))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.content)
                    if answer.headers["Content-Length"] > len(answer.content):
                        self.close_connection = True

            do_GET = do_HEAD = do_POST = do_PUT = handle_any

            def _chunks(self):
                body = b""
                if self.headers.get("Transfer-Encoding") == "chunked":
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                return body

            def log_message(self, *_):
                pass

        return Handler
