"""label_server.py - `hone judge label` as a test's server: started, its links read, asked over plain sockets, ended or killed."""
import json
import os
import signal
import socket
import subprocess

HONE = os.environ["HONE"]


class Server:
    def __init__(self, folder, *args, items="items.jsonl"):
        self.folder = folder
        command = [HONE, "judge", "label", "--items", items, "--json", *args]
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.process.stderr.read())
        told = json.loads(line)
        self.url = told["url"]
        self.links = told["links"]
        self.tokens = {name: link.split("/#")[1] for name, link in self.links.items()}
        self.host, port = told["local"].split("//")[1].rsplit(":", 1)
        self.port = int(port)

    def connect(self, timeout=30):
        return socket.create_connection((self.host.strip("[]"), self.port), timeout=timeout)

    def raw(self, data):
        """Sends bytes, reads until the other side ends; what came."""
        with self.connect() as s:
            try:
                s.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # answered, or ended, before all of it was read
            return read_all(s)

    def ask(self, method, path, token=None, body=None, headers=None, host=None):
        """(status, headers, text) of one request on a connection of its own."""
        h = {"Host": host or f"{self.host}:{self.port}", "Connection": "close"}
        if token:
            h["Authorization"] = "Bearer " + token
        if body is not None:
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
            h.update({"X-Hone": "1", "Content-Type": "application/json", "Content-Length": str(len(body))})
        h.update(headers or {})
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in h.items() if v is not None) + "\r\n"
        return parse(self.raw(head.encode() + (body or b"")))

    def get(self, path, token=None, **more):
        status, _, text = self.ask("GET", path, token, **more)
        return status, json.loads(text)

    def post(self, events, token, **more):
        status, _, text = self.ask("POST", "/api/labels", token, {"events": events}, **more)
        return status, json.loads(text)

    def stop(self, how=signal.SIGTERM):
        """Its exit code and what it wrote on stderr."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


def read_all(s):
    data = b""
    try:
        while True:
            part = s.recv(65536)
            if not part:
                return data
            data += part
    except ConnectionResetError:
        return data


def parse(data):
    """(0, {}, "") for a connection that ended without an answer."""
    head, _, body = data.partition(b"\r\n\r\n")
    if not head:
        return 0, {}, ""
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        k, _, v = line.partition(":")
        headers[k.strip().lower()] = v.strip()
    return int(lines[0].split()[1]), headers, body.decode("utf-8", "replace")


def write_items(folder, n, name="items.jsonl", pairs=False, **columns):
    with open(os.path.join(folder, name), "w") as f:
        for i in range(n):
            row = {"id": f"secretmodel-{i}", "prompt": f"How many birds are {i} and {i + 1}?", "judge_score": 0.123456,
                   "model": "secretmodel", **columns}
            if pairs:
                row["candidates"] = [f"First: {2 * i + 1} birds.", f"Second: {2 * i + 2} birds."]
            else:
                row["completion"] = f"There are {2 * i + 1} birds."
            f.write(json.dumps(row) + "\n")
