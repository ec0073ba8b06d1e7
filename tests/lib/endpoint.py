"""endpoint.py - a server for tests: the chat completions of an OpenAI-compatible endpoint, and every way in which one fails.

    server = Endpoint()                         # 127.0.0.1, a free port; `reply(request, message)` makes the texts
    server.url                                  # http://127.0.0.1:PORT
    server.url + "/429.2/v1"                    # the first two requests with the same body get 429, then answers follow
    server.url + "/hang/v1"                     # always
    server.seen                                 # what came: path, headers, body, number of the connection

FAULTS lists the names. `server.together = 64`: no answer goes out until 64 requests are there at once (or `release` is
called), so that a test sees how many there are without a clock.
"""
import json
import socket
import socketserver
import struct
import threading
import time

FAULTS = ("429", "429-date", "429-long", "500", "503", "529", "drop", "reset", "empty", "cut", "chunked-cut", "chunked-garbage",
          "long-length", "short-length", "hang", "slow-head", "json", "schema", "html", "no-choices", "not-http", "huge", "huge-head",
          "redirect", "401", "404", "refusal", "length", "400-schema", "400-logprobs", "no-usage", "echo-key", "gzip-bomb", "utf8")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256


class Endpoint:
    def __init__(self, reply=None, logprobs=None, usage=None, tls=None):
        self.reply = reply or (lambda request: "42")
        self.logprobs = logprobs  # request -> [[(token, logprob), ...] per position] or None
        self.usage = usage  # request, text -> {"prompt_tokens", "completion_tokens"}
        self.seen, self.asked, self.connections = [], {}, 0
        self.inside = self.most = self.together = 0
        self.changed = threading.Condition()
        self.free = threading.Event()
        endpoint = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                with endpoint.changed:
                    endpoint.connections += 1
                    connection = endpoint.connections
                try:
                    while endpoint.one(self, connection):
                        pass
                except (OSError, ValueError):
                    pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:  # an ssl.SSLContext
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.free.set()
        self.server.shutdown()
        self.server.server_close()

    def clear(self):
        with self.changed:
            self.seen, self.asked, self.most, self.connections = [], {}, 0, 0
            self.free.clear()

    def release(self):
        """Lets go what hangs or waits for others."""
        self.free.set()
        with self.changed:
            self.changed.notify_all()

    # ---- one request ----
    def one(self, h, connection):
        line = h.rfile.readline().decode("latin-1")
        if " " not in line:
            return False
        headers = {}
        while (text := h.rfile.readline().decode("latin-1").strip()):
            k, _, v = text.partition(":")
            headers[k.lower()] = v.strip()
        body = h.rfile.read(int(headers.get("content-length", 0)))
        method, target = line.split(" ")[:2]
        first, _, rest = target.lstrip("/").partition("/")
        kind, _, times = first.partition(".")
        with self.changed:
            self.seen.append({"method": method, "path": target, "headers": headers, "body": body, "connection": connection,
                              "at": len(self.seen)})
            key = (first, body)
            nth = self.asked[key] = self.asked.get(key, 0) + 1
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.changed.notify_all()
            while self.most < self.together and not self.free.is_set():
                self.changed.wait(1)
        try:
            if kind in FAULTS and (not times or nth <= int(times)):
                return self.fault(h, kind, headers, body)
            return self.good(h, body, rest if kind in FAULTS else target.lstrip("/"))
        finally:
            with self.changed:
                self.inside -= 1
                self.changed.notify_all()

    def answer(self, h, status, body, extra="", length=None, keep=True):
        head = (f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\n{extra}"
                f"Content-Length: {len(body) if length is None else length}\r\n"
                + ("" if keep else "Connection: close\r\n") + "\r\n")
        h.wfile.write(head.encode() + body)
        h.wfile.flush()
        return keep

    def completion(self, request, text=None, finish="stop", refusal=None, usage=True):
        text = self.reply(request) if text is None else text
        message = {"role": "assistant", "content": text}
        if refusal:
            message.update(content=None, refusal=refusal)
        choice = {"index": 0, "message": message, "finish_reason": finish}
        if request.get("logprobs") and self.logprobs:
            rows = self.logprobs(request)
            choice["logprobs"] = {"content": [{"token": row[0][0], "logprob": row[0][1],
                                               "top_logprobs": [{"token": t, "logprob": p} for t, p in row]} for row in rows]}
        out = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": request.get("model"), "choices": [choice]}
        if usage:
            u = self.usage(request, text) if self.usage else {"prompt_tokens": 10, "completion_tokens": 2}
            out["usage"] = {**u, "total_tokens": sum(u.values())}
        return json.dumps(out).encode()

    def good(self, h, body, path):
        if path.endswith("count"):
            return self.answer(h, 200, str(len(self.seen)).encode())
        if not path.endswith("chat/completions"):
            return self.answer(h, 200, json.dumps({"path": "/" + path, "body": body.decode("utf-8", "replace")}).encode())
        return self.answer(h, 200, self.completion(json.loads(body)))

    def fault(self, h, kind, headers, body):
        close = {"keep": False}
        whole = json.dumps({"path": "/", "body": "x" * 300}).encode()
        request = {}
        try:
            request = json.loads(body)
            if "messages" in request:
                whole = self.completion(request)
        except ValueError:
            pass
        if kind == "drop":
            return False
        if kind == "reset":
            h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            h.connection.close()
            return False
        if kind == "hang":
            self.free.wait(60)
            return False
        if kind == "slow-head":  # a byte at a time, and the rest never
            h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            h.wfile.flush()
            self.free.wait(60)
            return False
        if kind == "empty":
            return self.answer(h, 200, b"")
        if kind == "429":
            return self.answer(h, 429, b'{"error": {"message": "slow down"}}', "Retry-After: 0\r\n")
        if kind == "429-date":
            return self.answer(h, 429, b"{}", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:36 GMT\r\n")
        if kind == "429-long":
            return self.answer(h, 429, b'{"error": {"message": "tomorrow"}}', "Retry-After: 86400\r\n")
        if kind in ("500", "503", "529", "401", "404"):
            return self.answer(h, kind, b'{"error": {"message": "status \x1b[31m ' + kind.encode() + b'"}}')
        if kind == "cut":
            return self.answer(h, 200, whole[: len(whole) // 2], length=len(whole), **close)
        if kind == "chunked-cut":
            h.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(whole) + whole[: len(whole) // 2])
            return False
        if kind == "chunked-garbage":
            h.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + whole + b"\r\n0\r\n\r\n")
            return False
        if kind == "long-length":
            return self.answer(h, 200, whole, length=len(whole) + 1000, **close)
        if kind == "short-length":
            return self.answer(h, 200, whole, length=len(whole) // 3, **close)
        if kind == "json":
            return self.answer(h, 200, b'{"choices": [{"message": {"content": "4')
        if kind == "schema":
            return self.answer(h, 200, b'{"choices": {"message": [1, 2, {"content": 7}]}, "usage": "many"}')
        if kind == "no-choices":
            return self.answer(h, 200, b'{"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 0}}')
        if kind == "html":
            return self.answer(h, 200, b"<html>busy</html>")
        if kind == "utf8":
            return self.answer(h, 200, b'{"choices": [{"message": {"content": "\xff\xfe"}}]}')
        if kind == "not-http":
            h.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
            return False
        if kind == "huge":
            try:
                h.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
                for _ in range(64):
                    h.wfile.write(b"x" * (1 << 20))
            except OSError:
                pass
            return False
        if kind == "huge-head":
            return self.answer(h, 200, whole, "".join(f"X-{i}: {'y' * 900}\r\n" for i in range(90)))
        if kind == "gzip-bomb":
            import zlib
            z = zlib.compressobj(9, zlib.DEFLATED, 31)
            data = b"".join(z.compress(bytes(1 << 20)) for _ in range(64)) + z.flush()
            return self.answer(h, 200, data, "Content-Encoding: gzip\r\n")
        if kind == "redirect":
            return self.answer(h, 307, b"", f"Location: http://127.0.0.2:{self.port}/away\r\n")
        if kind == "refusal":
            return self.answer(h, 200, self.completion(request, refusal="I cannot judge that."))
        if kind == "length":
            return self.answer(h, 200, self.completion(request, text="because it is", finish="length"))
        if kind == "no-usage":
            return self.answer(h, 200, self.completion(request, usage=False))
        if kind == "400-schema" and "response_format" in request or kind == "400-logprobs" and "logprobs" in request:
            return self.answer(h, 400, json.dumps({"error": {"message": f"{kind[4:]} is not supported by this model"}}).encode())
        if kind == "echo-key":
            key = headers.get("authorization", "").encode()
            return self.answer(h, 401, b'{"error": {"message": "Incorrect API key provided: ' + key + b'"}}', f"X-Key: {key.decode()}\r\n")
        return self.good(h, body, "v1/chat/completions")


def wait_for(what, seconds=60):
    """Until `what()` is true: False when that does not come."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
