"""A way to a node on which every byte is counted: a TCP proxy before its sshd."""

import re
import socket
import threading
from pathlib import Path


class Wire:
    """Listens on loopback and passes on to `port`; `sent` and `received` count what crossed, both ways together."""

    def __init__(self, port):
        self.target = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.sent = self.received = self.connections = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            near, _ = self.listener.accept()
            self.connections += 1
            try:
                far = socket.create_connection(self.target)
            except OSError:
                near.close()
                continue
            # As ssh has it: a byte that waits for company costs 40 ms.
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.pump, args=(near, far, "sent"), daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near, "received"), daemon=True).start()

    def pump(self, source, sink, counter):
        try:
            while data := source.recv(1 << 16):
                with self.lock:
                    setattr(self, counter, getattr(self, counter) + len(data))
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def total(self):
        """Bytes so far, both ways."""
        with self.lock:
            return self.sent + self.received


def through(ssh_config, wires, to):
    """Writes a copy of `ssh_config` in which each host of `wires` is reached through its wire."""
    host, lines = None, []
    for line in Path(ssh_config).read_text().splitlines():
        if match := re.match(r"Host (\S+)", line):
            host = match[1]
        if host in wires and re.match(r"\s*Port\s", line):
            line = f"  Port {wires[host].port}"
        lines.append(line)
    Path(to).write_text("\n".join(lines) + "\n")
