#!/usr/bin/env python3
"""What many at once cost: `make bench-crowd`.

Streams that are open at the same moment: memory and processor time of each, beside a bare Envoy and one with an empty
filter. And one tenant whom all workers serve: how often one of them loses the race for the tenant's cell. Standard
library only.

  BENCH_STREAMS   how many are open at once (5000)
  BENCH_WORKERS   how many serve the one tenant (4)
"""

import functools
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

sys.dont_write_bytecode = True
import bench
import gateways
from launch import Children, stop_on_signal

STREAMS = int(os.environ.get("BENCH_STREAMS") or 5000)
WORKERS = int(os.environ.get("BENCH_WORKERS") or 4)
EVENTS = 20
CHATS = 20_000
CALLERS = 64


def roomy(configuration, *arguments):
    """As shipped, but for the bounds on connections, which are there to be reached by fewer."""
    text = configuration(*arguments)
    text = gateways.swapped(text, "max_active_downstream_connections: 1000", f"max_active_downstream_connections: {2 * STREAMS}")
    plenty = f"{{thresholds: [{{max_connections: {2 * STREAMS}, max_pending_requests: {2 * STREAMS}, max_requests: {2 * STREAMS}}}]}}"
    return gateways.swapped(text, "    connect_timeout: 5s\n", f"    connect_timeout: 5s\n    circuit_breakers: {plenty}\n")


def stats(gateway, names):
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin}/stats?filter={names}", timeout=10) as told:
        return sum(int(value) for value in re.findall(r": (\d+)$", told.read().decode(), re.M))


def started(name, provider, children, workers=1, core=0):
    gateway_port, admin, spare = bench.free_ports(3)
    configuration = functools.partial(roomy, gateways.ALL[name])
    gateway = bench.Gateway(f"crowd-{name}", configuration, (gateway_port, admin, provider), children, bench.files_named(spare), workers, core)
    children.wait_for(f"Envoy, {name}", gateway.is_ready)
    return gateway


def asking(gateway, case, requests, connections):
    """h2load under way."""
    command = bench.asking(case, requests, connections)
    return subprocess.Popen([*command, f"http://127.0.0.1:{gateway.port}{case.path}"], stdout=subprocess.PIPE, text=True)


def answered(load, requests):
    said, _ = load.communicate(timeout=bench.PATIENCE)
    if f"status codes: {requests} 2xx" not in said:
        bench.fail(f"h2load said\n{said}")


def open_streams(provider):
    case = next(case for case in bench.CASES if case.name == "stream")._replace(sim=f"tokens={EVENTS}; gap_ms=500")
    bench.write_body(case)
    lines = [f"| {STREAMS:,} streams of {EVENTS} events, open at once | memory of a stream, kB | CPU µs of a stream |", "|---|---:|---:|"]
    for name in ("bare", "empty", "ours"):
        children = Children(bench.OUT)
        try:
            gateway = started(name, provider, children)
            answered(asking(gateway, case, 100, 100), 100)
            memory, cpu = gateway.resident_mb(), gateway.cpu_us()
            load = asking(gateway, case, STREAMS, STREAMS)
            most, peak = 0, memory
            while load.poll() is None:
                most = max(most, stats(gateway, "^http.gateway.downstream_rq_active$"))
                peak = max(peak, gateway.resident_mb())
                time.sleep(0.1)
            answered(load, STREAMS)
            cpu = gateway.cpu_us() - cpu
        finally:
            children.stop(0)
        if most < STREAMS * 0.98:
            bench.fail(f"{name}: no more than {most} streams were open at once")
        lines.append(f"| {name} | {(peak - memory) * 1024 / STREAMS:.1f} | {cpu / STREAMS:,.0f} |")
    return lines


def hot_tenant(provider):
    case = next(case for case in bench.CASES if case.name == "chat")
    bench.write_body(case)
    children = Children(bench.OUT)
    try:
        gateway = started("ours", provider, children, WORKERS, None)
        answered(asking(gateway, case, CALLERS, CALLERS), CALLERS)
        count = lambda what: stats(gateway, f"ai_gateway_cell_{what}_total$")
        before = count("races"), count("starved")
        answered(asking(gateway, case, CHATS, CALLERS), CHATS)
        races, starved = count("races") - before[0], count("starved") - before[1]
    finally:
        children.stop(0)
    return [
        f"| {CHATS:,} chats of one tenant, by {CALLERS} at once | writes that lost a race, by 1,000 | given up |",
        "|---|---:|---:|",
        f"| {WORKERS} workers on {os.cpu_count()} cores | {races * 1000 / (2 * CHATS):.2f} | {starved} |",
    ]


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_on_signal)
    bench.OUT.mkdir(parents=True, exist_ok=True)
    children = Children(bench.OUT)
    try:
        provider, = bench.free_ports(1)
        bench.start_provider(provider, children)
        lines = [*open_streams(provider), "", *hot_tenant(provider)]
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        children.stop(0)
    (bench.OUT / "crowd.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
