"""Speaks TLS as `localhost` in front of a plain port: `tls_front.py CERTIFICATE KEY PORT`. Prints its own port. Ends with its input."""

import socket
import ssl
import sys
import threading

certificate, key, port = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
names = []
context.sni_callback = lambda _socket, name, _context: names.append(name)


def copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(client):
    try:
        client = context.wrap_socket(client, server_side=True)
    except OSError:
        return
    if names[-1:] != ["localhost"]:
        return client.close()
    upstream = socket.create_connection(("127.0.0.1", int(port)))
    threading.Thread(target=copy, args=(client, upstream), daemon=True).start()
    copy(upstream, client)


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
threading.Thread(target=lambda: [threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start() for _ in iter(int, 1)], daemon=True).start()
sys.stdin.read()
