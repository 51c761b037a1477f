#!/usr/bin/env python3
"""What requests notice of their copies: `make bench-shadows`.

Gateways with production.yaml run at the same time and are asked in turn: one without shadows, and others that copy none of these
requests, a quarter, all of them, and a quarter to a provider that never answers. Told are ratios to the one without, of the same
round. The processor time is that of the whole Envoy, so that of the copies is in it. Standard library only.

  BENCH_SECONDS, BENCH_ROUNDS, BENCH_RATE   as for `make bench`; latency is measured sixteen times as long, in every third round
"""

import functools
import http.server
import json
import os
import re
import signal
import sys
import threading
import time
import urllib.request

sys.dont_write_bytecode = True
import bench
import gateways
from launch import Children, stop_on_signal

WITHOUT = "without shadows"
# Whose requests are copied, how many of a hundred, and whether the shadow's provider hangs.
SHADOWS = {
    "none is copied": ("small", 100, False),
    "a quarter is copied": ("bench", 25, False),
    "all are copied": ("bench", 100, False),
    "a quarter is copied, and hangs": ("bench", 25, True),
}
PLENTY = {"request_usd": "1000", "day_usd": "1000000", "month_usd": "1000000"}


class Silence(http.server.BaseHTTPRequestHandler):
    """A provider that is healthy, takes whatever comes, and never answers."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_POST(self):
        threading.Event().wait()

    def log_message(self, *_):
        pass

    @classmethod
    def port(cls):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), cls)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_port


def configuration(provider, silent, name, *arguments):
    tenant, percent, hangs = SHADOWS.get(name) or ("", 0, False)
    more = {"LOCAL_OPENAI_URL": f"http://127.0.0.1:{silent if hangs else provider}/v1"}
    if tenant:
        of = {"models": ["gpt-4o-mini"], "tenants": [tenant]}
        more["SHADOWS"] = json.dumps({"cheap": {"of": of, "model": "llama3.2", "percent": percent, "budgets": PLENTY}})
    return gateways.routed(*arguments, more)


def started(name, provider, silent, children):
    gateway_port, admin, spare = bench.free_ports(3)
    written = functools.partial(configuration, provider, silent, name)
    gateway = bench.Gateway(f"shadows-{name.replace(' ', '-')}", written, (gateway_port, admin, provider), children, bench.files_named(spare))
    children.wait_for(f"Envoy, {name}", gateway.is_ready)
    return gateway


def copies(gateway, which="total"):
    url = f"http://127.0.0.1:{gateway.admin}/stats?filter=^cluster.shadow_entry.upstream_rq_{which}$"
    with urllib.request.urlopen(url, timeout=10) as told:
        return sum(int(value) for value in re.findall(r": (\d+)$", told.read().decode(), re.M))


def loaded(gateway, case, requests, hangs, rate=None):
    """The run, and the processor time of a request once its copy is over, too."""
    before, had = gateway.cpu_us(), copies(gateway)
    run = bench.load(gateway, case, requests, rate)
    until = time.monotonic() + bench.PATIENCE
    while not hangs and copies(gateway, "active") and time.monotonic() < until:
        time.sleep(0.01)
    return run._replace(cpu_us=(gateway.cpu_us() - before) / requests), (copies(gateway) - had) / requests


def measured(running, case):
    """`(run, copies by request)` of each round, when asked without a pause, and at a rate that all bear."""
    hangs = lambda name: name in SHADOWS and SHADOWS[name][2]
    warm = {name: loaded(gateway, case, 10 * case.connections, hangs(name))[0] for name, gateway in running.items()}
    requests = round(warm[WITHOUT].requests / warm[WITHOUT].seconds * bench.SECONDS)
    busy, paced = ({name: [] for name in running} for _ in range(2))
    for nth in range(bench.ROUNDS):
        for name in bench.turned(running, nth):
            busy[name].append(loaded(running[name], case, requests, hangs(name)))
        if nth % 3 == 0:
            few = case._replace(connections=10)
            for name in bench.turned(running, nth):
                paced[name].append(loaded(running[name], few, max(50, round(bench.RATE * bench.SECONDS * 16)), hangs(name), bench.RATE))
        print(f"\rround {nth + 1} of {bench.ROUNDS}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return busy, paced


def ratios(runs, name, figure):
    return bench.spread([figure(own) / figure(base) for (own, _), (base, _) in zip(runs[name], runs[WITHOUT])])


def table(busy, paced):
    lines = ["| ÷ a gateway without shadows | copies by request | CPU of Envoy | p50 | p99 |", "|---|---:|---:|---:|---:|"]
    for name in SHADOWS:
        made = sum(copied for _, copied in busy[name]) / len(busy[name])
        cpu = ratios(busy, name, lambda run: run.cpu_us)
        latency = [ratios(paced, name, lambda run, which=which: bench.percentile(run.latencies, which)) for which in (50, 99)]
        told = [bench.told(figure, 2) for figure in (cpu, *latency)]
        lines.append(f"| {name} | {made:.2f} | {' | '.join(told)} |")
    return lines


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_on_signal)
    bench.OUT.mkdir(parents=True, exist_ok=True)
    case = next(case for case in bench.CASES if case.name == "chat")
    bench.write_body(case)
    children = Children(bench.OUT)
    try:
        silent = Silence.port()
        provider, = bench.free_ports(1)
        bench.start_provider(provider, children)
        running = {name: started(name, provider, silent, children) for name in (WITHOUT, *SHADOWS)}
        busy, paced = measured(running, case)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        children.stop(0)
    lines = table(busy, paced)
    lines += ["", f"{bench.ROUNDS} rounds of {bench.SECONDS:g} s, latency at {bench.RATE} a second in every third; medians (quartiles);"]
    lines += [f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."]
    (bench.OUT / "shadows.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
