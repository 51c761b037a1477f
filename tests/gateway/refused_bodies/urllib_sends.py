"""Sends a body of so many bytes with Python's own client, and says what came back: `urllib_sends.py URL BYTES NAME:VALUE…`"""

import sys
import urllib.error
import urllib.request

url, size, *headers = sys.argv[1:]
opening = b'{"model":"gpt-4o-mini","max_tokens":1,"messages":[{"role":"user","content":"'
body = opening + b"x" * (int(size) - len(opening) - 4) + b'"}]}'
request = urllib.request.Request(url, body, dict(header.split(":", 1) for header in headers))
try:
    with urllib.request.urlopen(request, timeout=60) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
except OSError as error:
    print("lost:", error)
