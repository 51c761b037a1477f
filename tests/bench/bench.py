#!/usr/bin/env python3
"""What the filter costs beside a bare Envoy, an Envoy with an empty filter, and Envoy's own parts: `make bench`.

Every Envoy runs at the same time and is asked in turn, for a moment, round after round: what else the machine does falls on
all of them alike. What counts is the processor time of each Envoy, from the kernel, by request; the quartiles are told beside
the median. Rates need a machine that does nothing else.

  BENCH_SECONDS   of each measurement, as a bare Envoy takes them (0.25)
  BENCH_ROUNDS    (15); streams, and latency for four times as long, are measured in every third
  BENCH_CASES, BENCH_GATEWAYS   some only, separated by commas
  BENCH_OTHER     another build of the filter, to be compared in the same run
  BENCH_PEERS     where other filters of the kind are: `make bench BENCH_PEERS=1` fetches them
  BENCH_PROXIES   gateways that are programs of their own: `make bench BENCH_PROXIES="crabllm litellm"` installs and starts them
  BENCH_ALSO      gateways that run already, as NAME@PORT@PID: whatever speaks OpenAI's chat there, `taskset -c 0` and with one
                  worker, in front of http://127.0.0.1:BENCH_PROVIDER_PORT/v1 (which these need to know before)
  BENCH_RATE      requests a second, where latency is measured (300)
"""

import collections
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOP / "envoy" / "start"))
import gateways
import picture
import proxies
from launch import Children, accepts, answers, stop_on_signal

OUT = TOP / "target" / "bench"
SECONDS = float(os.environ.get("BENCH_SECONDS") or 0.25)
ROUNDS = int(os.environ.get("BENCH_ROUNDS") or 15)
RATE = int(os.environ.get("BENCH_RATE") or 300)

PATIENCE = 120

Case = collections.namedtuple("Case", "name what path body sim tenant status connections requests gateways")
Files = collections.namedtuple("Files", "wasm empty other peers spare_port")
Run = collections.namedtuple("Run", "requests seconds cpu_us latencies")


def chat(text, **more):
    messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": text}]
    return {"model": "gpt-4o-mini", "messages": messages, "max_tokens": 600, "temperature": 0.2, **more}


def picture_of(size):
    url = "data:image/png;base64," + "iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAIAAADwf7zUAAAA" * (size // 48)
    return [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]


CHAT = "/v1/chat/completions"
WANTED = {"other": "BENCH_OTHER", "ai-statistics": "BENCH_PEERS", "token-usage": "BENCH_PEERS"}
EVERY = tuple(name for name in gateways.ALL if name not in WANTED or os.environ.get(WANTED[name]))
ALSO = dict(each.split("@", 1) for each in (os.environ.get("BENCH_ALSO") or "").split(",") if each)
PROXIES = tuple((os.environ.get("BENCH_PROXIES") or "").split())
CHATS = EVERY + tuple(ALSO) + PROXIES
LIMITING = tuple(name for name in EVERY if name in ("ours", "other"))
WITHOUT_BODY = tuple(name for name in EVERY if name not in ("routed", "token-usage"))
LONG = "The gateway reads each request once, as it comes, and keeps none of it. " * 450
STREAM = {"stream": True, "stream_options": {"include_usage": True}}
FIVE = {"model": "text-embedding-3-small", "input": ["one", "two", "three"]}
DEAR = {"model": "gpt-4", "max_tokens": 4000, "messages": [{"role": "user", "content": "Hello"}]}

CASES = [
    Case("chat", "a small chat", CHAT, chat("What does a compare-and-swap do?"), "tokens=60", "bench", 2, 32, None, CHATS),
    Case("prompt", "a prompt of 32 kB", CHAT, chat(LONG), "tokens=60", "bench", 2, 32, None, CHATS),
    Case("picture", "a picture of 1 MB", CHAT, chat(picture_of(1 << 20)), "tokens=60", "bench", 2, 8, None, EVERY),
    # Each event on its own: as slow as the provider's clock ticks, so that none waits for Envoy and comes with the next.
    Case("stream", "a stream of 500 events", CHAT, chat("Tell me a story.", **STREAM), "tokens=500; gap_ms=1", "bench", 2, 32, 32, CHATS),
    Case("embeddings", "an answer of 100 kB", "/v1/embeddings", FIVE, "", "bench", 2, 32, None, EVERY),
    Case("refused-429", "refused by rate", CHAT, chat("Hello"), "", "spent", 4, 32, None, LIMITING),
    Case("refused-402", "refused by budget", CHAT, DEAR, "", "small", 4, 32, None, LIMITING),
    # production.yaml has no route for it, and token-usage never lets a request without a body go on.
    Case("aside", "a path that is none of the filter's", "/v1/models", None, "", "bench", 2, 32, None, WITHOUT_BODY),
]

HEADERS = {
    "accept": "application/json",
    "accept-encoding": "gzip, deflate",
    "content-type": "application/json",
    "user-agent": "OpenAI/Python 3.54.0",
    "x-stainless-lang": "python",
    "x-stainless-package-version": "3.54.0",
    "x-stainless-os": "Linux",
    "x-stainless-arch": "x64",
    "x-stainless-runtime": "CPython",
    "x-stainless-runtime-version": "3.11.2",
    "x-stainless-async": "false",
    "x-stainless-retry-count": "0",
    "x-stainless-read-timeout": "600",
    "authorization": f"Bearer {gateways.KEY}",
}


def fail(message):
    sys.exit(f"bench: {message}")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def pinned(core, command):
    """The gateways on one core, everything else on another, where there are two and something to bind them with."""
    path = subprocess.run(["sh", "-c", "command -v taskset"], capture_output=True, text=True).stdout.strip()
    return [path, "-c", str(core), *command] if path and (os.cpu_count() or 1) > core else command


class Gateway:
    """An Envoy with one of the configurations, on its core."""

    # Of those that are no Envoy, some are so slow that they are asked less.
    proxy, share = None, 1

    def __init__(self, name, configuration, ports, children, files, workers=1, core=0):
        self.name = name
        self.port, self.admin, _ = ports
        directory = OUT / name
        directory.mkdir(parents=True, exist_ok=True)
        log = directory / "access.log"
        log.unlink(missing_ok=True)
        config = directory / "envoy.yaml"
        config.write_text(configuration(ports, log, files))
        envoy = [os.environ["ENVOY_PATH"], "-c", str(config), "--concurrency", str(workers), "--disable-hot-restart", "--log-level", "error"]
        children.start(f"{name}/envoy", envoy if core is None else pinned(core, envoy), {**os.environ, "OPENAI_API_KEY": "none"})
        self.process = children.running[-1][1].pid

    def is_ready(self):
        return answers(f"http://127.0.0.1:{self.admin}/ready")

    def takes(self, case):
        return not self.proxy or self.proxy.streams or case.name != "stream"

    def processes(self):
        return [pathlib.Path(f"/proc/{self.process}")]

    def cpu_us(self):
        """Of all its threads, in the kernel and outside."""
        threads = [thread for process in self.processes() for thread in (process / "task").iterdir()]
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1000

    def resident_mb(self):
        told = [re.search(r"VmRSS:\s+(\d+) kB", (process / "status").read_text()) for process in self.processes()]
        return sum(int(size[1]) for size in told if size) / 1024


class Running(Gateway):
    """One that somebody else has started; it may be a tree of processes."""

    def __init__(self, name, port, process):
        self.name, self.port, self.process = name, int(port), process

    def is_ready(self):
        return accepts(self.port)

    def processes(self):
        tree = [pathlib.Path(f"/proc/{self.process}")]
        for process in tree:
            children = " ".join(told.read_text() for told in process.glob("task/*/children"))
            tree += [pathlib.Path(f"/proc/{child}") for child in children.split()]
        return tree


class Started(Running):
    """A program of its own, on the Envoys' core."""

    def __init__(self, name, port, provider, children):
        if name not in proxies.ALL:
            fail(f"BENCH_PROXIES: there is no {name}, but {', '.join(proxies.ALL)}")
        directory = OUT / name
        directory.mkdir(parents=True, exist_ok=True)
        self.proxy = proxies.ALL[name](pathlib.Path(os.environ["PROXIES"], name), directory, port, provider)
        self.share = self.proxy.share
        command, environment = self.proxy.command()
        children.start(name, pinned(0, command), {**os.environ, **environment})
        super().__init__(name, port, children.running[-1][1].pid)

    def is_ready(self):
        self.port = self.proxy.port_now()
        return self.port is not None and accepts(self.port)


def files_named(spare_port):
    named = lambda variable: pathlib.Path(os.environ[variable]).resolve() if os.environ.get(variable) else None
    return Files(named("WASM"), named("EMPTY"), named("BENCH_OTHER"), named("BENCH_PEERS"), spare_port)


def start_provider(port, children):
    children.start("provider", pinned(1, [os.environ["PROVIDER"], "--listen", f"127.0.0.1:{port}"]), dict(os.environ))
    children.wait_for("the simulated provider", lambda: accepts(port))


def body_of(case, proxy=None):
    return OUT / (f"{case.name}-{type(proxy).__name__}.json" if proxy else f"{case.name}.json")


def write_body(case, proxy=None):
    if case.body is not None:
        body_of(case, proxy).write_text(json.dumps(proxy.asked(case.body, case.sim) if proxy else case.body))


def asking(case, requests, connections, proxy=None):
    """h2load's command, but for whom it asks."""
    command = [os.environ["H2LOAD"], "--h1", "-n", str(requests), "-c", str(connections)]
    own = proxy.headers if proxy else {}
    for name, value in {**HEADERS, **own, "x-tenant-id": case.tenant, **({"x-sim": case.sim} if case.sim else {})}.items():
        command += ["-H", f"{name}: {value}"]
    if case.body is not None:
        command += ["-d", str(body_of(case, proxy))]
    return command


def load(gateway, case, requests, rate=None):
    """As many requests as one run of h2load makes, and what they cost."""
    requests = max(1, round(requests * gateway.share))
    connections = min(case.connections, requests)
    command = asking(case, requests, connections, gateway.proxy)
    path = gateway.proxy.path if gateway.proxy else case.path
    log = OUT / "latencies.tsv"
    if rate:
        log.unlink(missing_ok=True)
        # One connection after the other, or all of them would ask at the same moment, again and again.
        apart = f"{max(1, 1000 // rate)}ms"
        command += ["--rps", str(rate / connections), "--rate", "1", "--rate-period", apart, "--log-file", str(log)]
    before, since = gateway.cpu_us(), time.monotonic()
    done = subprocess.run(pinned(1, [*command, f"http://127.0.0.1:{gateway.port}{path}"]), capture_output=True, text=True, timeout=PATIENCE)
    seconds, after = time.monotonic() - since, gateway.cpu_us()
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", done.stdout)
    if not codes:
        fail(f"h2load said\n{done.stdout}\n{done.stderr}")
    # Of those who are to be refused, the first may pass.
    if int(codes[1 if case.status == 2 else 3]) < requests - (case.status != 2):
        fail(f"{case.name} by {gateway.name}: not the answers that were expected: {codes[0]}")
    finished = re.search(r"finished in ([\d.]+)(us|ms|s),", done.stdout)
    seconds = float(finished[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1}[finished[2]]
    latencies = [int(line.split("\t")[2]) for line in log.read_text().splitlines()] if rate else []
    return Run(requests, seconds, (after - before) / requests, latencies)


def spread(values):
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": statistics.median(values), "low": low, "high": high}


def percentile(values, which):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * which / 100))]


def turned(names, nth):
    """In each round somebody else is the first."""
    names = list(names)
    return names[nth % len(names) :] + names[: nth % len(names)]


def measure(running, cases):
    """`runs[case][gateway]`, one of each round."""
    counts, runs = {}, {case.name: {} for case in cases}
    for case in cases:
        runs[case.name] = {name: [] for name in case.gateways if name in running and running[name].takes(case)}
        for name in runs[case.name]:
            warm = load(running[name], case, case.requests or 4 * case.connections)
            if case.name not in counts:
                warm = warm if case.requests else load(running[name], case, 10 * case.connections)
                counts[case.name] = case.requests or max(case.connections, round(warm.requests / warm.seconds * SECONDS))
    for nth in range(ROUNDS):
        # What takes a second by itself is measured less often.
        for case in (case for case in cases if nth % 3 == 0 or not case.requests):
            for name in turned(runs[case.name], nth):
                runs[case.name][name].append(load(running[name], case, counts[case.name]))
        print(f"\rround {nth + 1} of {ROUNDS}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return runs


def measure_latency(running, case):
    """At a rate that all of them bear easily, one after the other."""
    runs = {name: [] for name in case.gateways if name in running and running[name].share == 1}
    case = case._replace(connections=10)
    for nth in range(-(-ROUNDS // 3)):
        for name in turned(runs, nth):
            runs[name].append(load(running[name], case, max(50, round(RATE * SECONDS * 4)), RATE))
    return runs


def compared(runs):
    """Medians with their spread; ratios and differences are those of a round, and then of all rounds."""
    figures = {}
    of = lambda name, key: [getattr(run, key) for run in runs[name]]
    rates = lambda name: [run.requests / run.seconds for run in runs[name]]
    for name in runs:
        cpu = of(name, "cpu_us")
        figures[name] = {"cpu_us": spread(cpu), "per_second": spread(rates(name))}
        if "bare" in runs and name != "bare":
            extra = [own - base for own, base in zip(cpu, of("bare", "cpu_us"))]
            figures[name]["extra_us"] = spread(extra)
            if "empty" in runs and name != "empty":
                floor = figures["empty"]["extra_us"]
                # One that drowns in its own spread is no floor.
                if floor["low"] > 0:
                    figures[name]["of_empty"] = spread([each / floor["median"] for each in extra])
                figures[name]["throughput"] = spread([own / floor for own, floor in zip(rates(name), rates("empty"))])
    return figures


def told(figure, digits=0):
    if not figure:
        return ""
    return "{median:,.{d}f} ({low:,.{d}f}–{high:,.{d}f})".format(**figure, d=digits)


def table(results, cases):
    lines = ["| case | gateway | CPU µs a request | over bare, µs | ÷ empty's | requests/s ÷ empty's |", "|---|---|---:|---:|---:|---:|"]
    for case in cases:
        for name, figures in results[case.name].items():
            row = [told(figures["cpu_us"]), told(figures.get("extra_us"), 1), told(figures.get("of_empty"), 2), told(figures.get("throughput"), 2)]
            lines.append(f"| {case.what} | {name} | {' | '.join(row)} |")
    return lines


def summary(results, cases):
    """For the manual: a row a case, medians."""
    names = [name for name in CHATS if any(name in results[case.name] for case in cases) and name != "bare"]
    lines = [f"| processor time by request, µs | bare Envoy | {' | '.join(f'+ {name}' for name in names)} |", "|---|---:" + "|---:" * len(names) + "|"]
    for case in cases:
        figures = results[case.name]
        if "bare" in figures:
            added = [figures[name]["extra_us"]["median"] if name in figures else None for name in names]
            added = ["" if each is None else f"{each:,.0f}" for each in added]
            lines.append(f"| {case.what} | {figures['bare']['cpu_us']['median']:,.0f} | {' | '.join(added)} |")
    return lines


def latency_table(runs):
    lines = [f"| at {RATE} small chats a second | p50 µs | p99 µs | p99 ÷ bare's |", "|---|---:|---:|---:|"]
    of = lambda name, which: [percentile(run.latencies, which) for run in runs[name]]
    for name in runs:
        ratio = spread([own / bare for own, bare in zip(of(name, 99), of("bare", 99))]) if "bare" in runs else None
        lines.append(f"| {name} | {told(spread(of(name, 50)))} | {told(spread(of(name, 99)))} | {told(ratio, 2)} |")
    return lines


def chosen(variable, known):
    names = (os.environ.get(variable) or ",".join(known)).split(",")
    for name in names:
        if name not in known:
            fail(f"{variable}: there is no {name}, but {', '.join(known)}")
    return names


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_on_signal)
    OUT.mkdir(parents=True, exist_ok=True)
    names = chosen("BENCH_GATEWAYS", CHATS)
    cases = [case for case in CASES if case.name in chosen("BENCH_CASES", [case.name for case in CASES])]
    for case in cases:
        write_body(case)
    provider, spare, *ports = free_ports(2 + 2 * len(names))
    provider = int(os.environ.get("BENCH_PROVIDER_PORT") or provider)
    files = files_named(spare)
    children = Children(OUT)
    running = {}
    try:
        start_provider(provider, children)
        for nth, name in enumerate(names):
            if name in ALSO:
                port, _, process = ALSO[name].partition("@")
                if not (port.isdigit() and process.isdigit()):
                    fail(f"BENCH_ALSO: {name}@{ALSO[name]} is not NAME@PORT@PID")
                running[name] = Running(name, port, process)
                continue
            if name in PROXIES:
                running[name] = Started(name, ports[2 * nth], provider, children)
                for case in cases:
                    write_body(case, running[name].proxy)
                continue
            running[name] = Gateway(name, gateways.ALL[name], (*ports[2 * nth : 2 * nth + 2], provider), children, files)
        for gateway in running.values():
            children.wait_for(gateway.name, gateway.is_ready)
        runs = measure(running, cases)
        chats = [case for case in cases if case.name == "chat"]
        latency = measure_latency(running, chats[0]) if chats else {}
        memory = {name: round(gateway.resident_mb()) for name, gateway in running.items()}
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        children.stop(0)

    results = {name: compared(of_case) for name, of_case in runs.items()}
    short = summary(results, cases)
    (OUT / "summary.md").write_text("\n".join(short) + "\n")
    lines = [*table(results, cases), "", *short] + ([""] + latency_table(latency) if latency else [])
    lines += ["", "Resident memory, MB: " + ", ".join(f"{name} {size}" for name, size in memory.items())]
    load_1m = os.getloadavg()[0]
    lines += ["", f"{ROUNDS} rounds of {SECONDS:g} s; medians (quartiles); load of the machine {load_1m:.1f} on {os.cpu_count()} cores."]
    (OUT / "table.md").write_text("\n".join(lines) + "\n")
    (OUT / "results.json").write_text(json.dumps({"cases": results, "memory_mb": memory}, indent=1))
    (OUT / "costs.svg").write_text(picture.costs(results, cases))
    print("\n".join(lines))
    print("\ntarget/bench: table.md, summary.md, costs.svg, and results.json")


if __name__ == "__main__":
    main()
