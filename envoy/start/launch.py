"""What the programs beside it share: marked lines, URLs of providers, and the programs that are started."""

import ipaddress
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
# Seconds for a program to get ready, on a machine that is busy with something else.
PATIENCE = 120
CA_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem")


def fail(message):
    sys.exit(f"make {pathlib.Path(sys.argv[0]).name}: {message}")


def port(name, default):
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        fail(f"{name}={text} is not a port")
    return int(text)


def insist_free(name, number):
    # Envoy would share a taken port (SO_REUSEPORT), and the two gateways would each get some of the requests.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError as error:
            fail(f"port {number} is taken ({error.strerror.lower()}); choose another: {name}={number + 1}")


def marked(text, name, old, new):
    """Changes `old` to `new` in the lines that end in `#= name`: a marker that names nothing is a mistake here."""
    line = re.compile(rf"^.*{re.escape(old)}.*#= {name}$", re.MULTILINE)
    text, count = line.subn(lambda found: found[0].replace(old, new), text)
    if not count:
        fail(f"the configuration has no line with {old!r} that is marked `#= {name}`")
    return text


def part(text, name, replace):
    """Puts `replace(part)` in the place of each part between `#= name begins` and `#= name ends`."""
    block = re.compile(rf"^ *#= {re.escape(name)} begins\n(.*?)^ *#= {re.escape(name)} ends\n", re.MULTILINE | re.DOTALL)
    text, count = block.subn(lambda found: replace(found[1]), text)
    if not count:
        fail(f"the configuration has no part between `#= {name} begins` and `ends`")
    return text


def put_before(text, line, addition):
    """Puts `addition` before the line that begins so."""
    before, found, after = text.partition(f"\n{line}")
    if not found:
        fail(f"the configuration has no line that begins with {line.strip()!r}")
    return f"{before}\n{addition}{found[1:]}{after}"


def sharing(text, replicas, host, number):
    """Has the gateway in `text` share its limits with as many others, by the service at this address."""
    parts = TOP / "envoy" / "ratelimit"
    text = put_before(text, "          - name: envoy.filters.http.router", (parts / "filters.yaml").read_text())
    text = put_before(text, "                    tenant_header: x-tenant-id", f"                    replicas: {{count: {replicas}, cluster: ratelimit}}\n")
    cluster = marked((parts / "cluster.yaml").read_text(), "RATELIMIT_SERVICE", "address: 127.0.0.1, port_value: 8081", f"address: {host}, port_value: {number}")
    return put_before(text, "  # Envoy's own admin, for the pages", cluster)


def roots():
    """The file with the system's root certificates."""
    files = [os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *CA_FILES]
    found = next((path for path in files if path and os.path.isfile(path)), None)
    if found is None:
        fail("no file with the system's root certificates found; name one: SSL_CERT_FILE=...")
    return found


class Address:
    """Where an OpenAI-compatible provider is, as its SDKs take it: `https://host[:port][/base]`."""

    def __init__(self, variable, url):
        try:
            parts = urllib.parse.urlsplit(url)
            self.host, given_port = parts.hostname, parts.port
        except ValueError:  # whose words repeat parts of the URL, which may hold a password
            fail(f"{variable} is not a URL with a valid host and port")
        if given_port == 0:
            fail(f"{variable} is not a URL with a valid host and port")
        if parts.scheme not in ("http", "https") or not self.host or parts.query or parts.fragment:
            fail(f"{variable} must be like https://api.openai.com or http://127.0.0.1:8080/v1")
        if not re.fullmatch(r"[A-Za-z0-9._:-]+", self.host):
            fail(f"{variable} has a host that is not plain: {self.host}")
        if parts.username or parts.password:
            fail(f"{variable} must not hold credentials; the key is a variable of its own")
        self.tls = parts.scheme == "https"
        self.port = given_port or (443 if self.tls else 80)
        # What the SDKs append starts behind the version.
        self.base_path = parts.path.rstrip("/") or "/v1"
        if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", self.base_path):
            fail(f"{variable} has a path that is not plain: {self.base_path}")
        try:
            self.address = ipaddress.ip_address(self.host)
        except ValueError:
            self.address = None
        self.loopback = self.host == "localhost" or (self.address is not None and self.address.is_loopback)
        name = f"[{self.host}]" if ":" in self.host else self.host
        self.authority = name if given_port in (None, 443 if self.tls else 80) else f"{name}:{given_port}"

    def __str__(self):
        return f"{'https' if self.tls else 'http'}://{self.authority}{self.base_path}"


class Children:
    """The programs that were started, with their logs in `out`.

    Each in a session of its own, so that Ctrl-C reaches only this program, which then stops them in its order.
    """

    def __init__(self, out):
        self.out = out
        self.running = []

    def start(self, name, command, environment):
        log = self.out / f"{name}.log"
        with open(log, "wb") as out:
            try:
                child = subprocess.Popen(
                    command, cwd=TOP, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
                )
            except OSError as error:
                fail(f"cannot start {command[0]}: {error.strerror}")
        self.running.append((name, child, log))

    def start_envoy(self, config, admin, environment, name="envoy"):
        envoy = [os.environ.get("FUNC_E") or "func-e", "run", "-c", str(config)]
        # Without hot restart, because two Envoys of one base id would stop each other.
        envoy += ["--concurrency", os.environ.get("CONCURRENCY") or "2", "--disable-hot-restart"]
        # What a crash may cost of the records; by itself Envoy keeps them for ten seconds.
        envoy += ["--file-flush-interval-msec", "200"]
        self.start(name, envoy, environment)
        self.wait_for(name.capitalize(), lambda: answers(f"http://127.0.0.1:{admin}/ready"))

    def insist_alive(self):
        for name, child, log in self.running:
            if child.poll() is not None:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
                fail(f"{name} ended with {child.returncode}; the end of {log.relative_to(TOP)}:\n{tail}")

    def wait_for(self, what, ready):
        deadline = time.monotonic() + PATIENCE
        while not ready():
            self.insist_alive()
            if time.monotonic() > deadline:
                fail(f"{what} is not ready after {PATIENCE} s; see {self.out.relative_to(TOP)}/")
            time.sleep(0.05)

    def end(self, name):
        """Ends one of them, and waits for it."""
        found = next(one for one in self.running if one[0] == name)
        self.running.remove(found)
        os.killpg(found[1].pid, signal.SIGTERM)
        found[1].wait()

    def stop(self, *admins):
        # A signal makes func-e kill its Envoy, and with it the records of the last seconds: Envoy itself is asked first.
        envoys = [child for name, child, _ in self.running if name.startswith("envoy") and child.poll() is None]
        asked = [answers(f"http://127.0.0.1:{admin}/quitquitquit", "POST") for admin in admins if envoys]
        if any(asked):
            self.await_end(envoys)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for _, child, _ in reversed(self.running):
                # The group outlives its leader: func-e may be gone while its Envoy is not.
                try:
                    os.killpg(child.pid, number)
                except (ProcessLookupError, PermissionError):
                    pass
            self.await_end(child for _, child, _ in self.running)

    @staticmethod
    def await_end(children):
        deadline = time.monotonic() + 5
        for child in children:
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass


def accepts(number):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", number)) == 0


def answers(url, method="GET"):
    try:
        request = urllib.request.Request(url, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_on_signal():
    """Ctrl-C and the like end this program by way of its `finally`."""
    for number in SIGNALS:
        signal.signal(number, stopped)


def no_more_signals():
    """A second Ctrl-C must not cut the stopping short."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)


def stopped(number, _frame):
    no_more_signals()
    raise SystemExit(0 if number == signal.SIGINT else 128 + number)
