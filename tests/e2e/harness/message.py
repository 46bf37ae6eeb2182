"""A SIP message, as far as the tests read it."""
import re


class Message:
    def __init__(self, text):
        head, _, self.body = text.partition("\r\n\r\n")
        self.start, *self.lines = head.split("\r\n")
        self.status = int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0
        self.method = "" if self.status else self.start.split()[0]

    def all(self, name):
        return [line.partition(":")[2].strip() for line in self.lines if line.lower().startswith(name.lower() + ":")]

    def header(self, name):
        values = self.all(name)
        return values[0] if values else ""

    def media(self):
        """Address and port of its audio line."""
        address = re.search(r"c=IN IP4 (\S+)", self.body).group(1)
        return address, int(re.search(r"m=audio (\d+)", self.body).group(1))
