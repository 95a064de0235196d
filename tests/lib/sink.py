"""A next hop: an SMTP or LMTP server in threads of the test, which answers as
it is told and keeps what it takes."""
import contextlib
import os
import socket
import threading

OK = '250 2.0.0 ok'


class Message:
    """sender, rcpts, content (octets, dots undone), and the commands as they
    came: mail, rcpt_lines"""

    def __init__(self, mail):
        self.mail = mail
        self.sender = mail.split('<', 1)[1].split('>', 1)[0]
        self.rcpts, self.rcpt_lines = [], []
        self.content = b''


class Sink:
    """replies: {verb: reply, or a function of the command line that gives
    one; None: the connection ends without one}; '.' stands for the end of
    the data, '' for the greeting."""

    def __init__(self, replies=None, keywords=('PIPELINING', '8BITMIME',
                                               'DSN'),
                 path=None, lmtp=False):
        self.replies = dict(replies or {})
        self.keywords, self.lmtp = keywords, lmtp
        self.messages, self.connections, self.lines = [], 0, []
        self.most, self.now = 0, 0      # connections at once
        self.lock = threading.Lock()
        self.sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        if path:
            self.sock.bind(path)
            os.chmod(path, 0o666)
        else:
            self.sock.bind(('127.0.0.1', 0))
            self.port = self.sock.getsockname()[1]
        self.sock.listen(200)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return '%s://127.0.0.1:%d' % ('lmtp' if self.lmtp else 'smtp',
                                      self.port)

    def close(self):
        self.sock.close()

    def contents(self):
        with self.lock:
            return [m.content for m in self.messages]

    def rcpts(self):
        with self.lock:
            return sorted(r for m in self.messages for r in m.rcpts)

    def _accept(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,),
                             daemon=True).start()

    def _serve(self, conn):
        with self.lock:
            self.connections += 1
            self.now += 1
            self.most = max(self.most, self.now)
        left = False
        try:
            with conn, conn.makefile('rb') as f:
                left = self._talk(conn, f)
        except (OSError, ValueError):
            pass
        if not left:
            self._leave()

    def _leave(self):
        with self.lock:
            self.now -= 1

    def _reply(self, conn, verb, line, default):
        answer = self.replies.get(verb, default)
        if callable(answer):
            answer = answer(line)
        if answer is None:
            raise ValueError('told to hang up')
        conn.sendall(answer.encode() + b'\r\n')
        return answer[0] in '23'

    def _hello(self, conn, line):
        words = ['sink.example'] + list(self.keywords)
        text = '\r\n'.join('250%s%s' % (' ' if w is words[-1] else '-', w)
                           for w in words)
        return self._reply(conn, line.split()[0].upper(), line, text)

    def _talk(self, conn, f):
        message = None
        self._reply(conn, '', '', '220 sink.example')
        for line in f:
            line = line.decode('utf-8', 'surrogateescape').rstrip('\r\n')
            with self.lock:
                self.lines.append(line)
            verb = line.split(' ')[0].upper()
            if verb in ('EHLO', 'LHLO', 'HELO'):
                self._hello(conn, line)
            elif verb == 'MAIL':
                if self._reply(conn, verb, line, OK):
                    message = Message(line)
            elif verb == 'RCPT':
                if self._reply(conn, verb, line, OK) and message:
                    message.rcpts.append(
                        line.split('<', 1)[1].split('>', 1)[0])
                    message.rcpt_lines.append(line)
            elif verb == 'DATA':
                if not message or not message.rcpts:
                    conn.sendall(b'503 5.5.1 no recipients\r\n')
                elif self._reply(conn, verb, line, '354 go on'):
                    self._data(conn, f, message)
                    message = None
            elif verb == 'RSET':
                message = None
                self._reply(conn, verb, line, OK)
            elif verb == 'QUIT':
                # before he hears it, or his successor may be counted first
                self._leave()
                with contextlib.suppress(OSError, ValueError):
                    self._reply(conn, verb, line, '221 2.0.0 bye')
                return True
            else:
                self._reply(conn, verb, line, '502 5.5.1 no')
        return False

    def _data(self, conn, f, message):
        lines = []
        for line in f:
            if line == b'.\r\n':
                break
            lines.append(line[1:] if line.startswith(b'.') else line)
        else:
            raise ValueError('the data has no end')
        message.content = b''.join(lines)
        if self.lmtp:
            taken = [r for r in message.rcpts
                     if self._reply(conn, '.', r, OK)]
            if not taken:
                return
            message.rcpts = taken
        elif not self._reply(conn, '.', message.content.decode('latin1'),
                             OK):
            return
        with self.lock:
            self.messages.append(message)
