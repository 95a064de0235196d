"""An LMTP server for one connection that says what it is told to say."""
import os
import socket
import threading

BEGIN = [(None, b'220 hello\r\n'), (b'LHLO ', b'250-x\r\n250 PIPELINING\r\n')]
MAIL = [(b'MAIL FROM:<', b'250 2.1.0 ok\r\n')]
RCPT = [(b'RCPT TO:<', b'250 2.1.5 ok\r\n')]
DATA = [(b'DATA\r\n', b'354 go on\r\n')]


class Server:
    """Says `script` line by line: (expected beginning, reply); None as the
    expected is said without waiting.  After DATA's 354 everything up to the
    dot is the content."""

    def __init__(self, p, script):
        self.path = p.path('lmtp')
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(1)
        self.script, self.heard, self.content = script, [], None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with self.listener:
            conn, _ = self.listener.accept()
        try:
            self.talk(conn)
        except OSError:     # the client has had enough
            pass

    def talk(self, conn):
        with conn, conn.makefile('rb') as lines:
            for expected, reply in self.script:
                if expected is not None:
                    line = lines.readline()
                    self.heard.append(line)
                    if not line.startswith(expected):
                        return
                conn.sendall(reply)
                if reply.startswith(b'354'):
                    self.read_content(lines)
            conn.shutdown(socket.SHUT_WR)
            self.heard.append(lines.readline())

    def read_content(self, lines):
        self.content = b''
        while True:
            line = lines.readline()
            if line in (b'.\r\n', b''):
                return
            self.content += line
