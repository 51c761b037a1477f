#!/usr/bin/env python3
"""What many tenants cost: `make bench-scale`.

By configured tenants: the processor time and the memory that a worker needs for its configuration, as the difference
between an Envoy of one worker and one of five, and the processor time of a request. Standard library only.

  BENCH_TENANTS   how many, separated by commas (10,1000,100000)
  BENCH_SECONDS, BENCH_ROUNDS   as for `make bench`
"""

import functools
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
import bench
import gateways
from launch import Children, stop_on_signal

MANY = 5
SIZES = [int(size) for size in (os.environ.get("BENCH_TENANTS") or "10,1000,100000").split(",")]


def started(size, workers, provider, children):
    gateway_port, admin, spare = bench.free_ports(3)
    configuration = functools.partial(gateways.ours, crowd=size)
    gateway = bench.Gateway(f"tenants-{size}x{workers}", configuration, (gateway_port, admin, provider), children, bench.files_named(spare), workers)
    children.wait_for(f"Envoy with {size} tenants", gateway.is_ready)
    time.sleep(1)  # workers may still be at it
    return gateway, gateway.cpu_us() / 1e6, gateway.resident_mb()


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_on_signal)
    bench.OUT.mkdir(parents=True, exist_ok=True)
    case = next(case for case in bench.CASES if case.name == "chat")
    bench.write_body(case)
    children, running, of_worker = Children(bench.OUT), {}, {}
    try:
        provider, = bench.free_ports(1)
        bench.start_provider(provider, children)
        for size in SIZES:
            running[size], seconds, memory = started(size, 1, provider, children)
            crowd = Children(bench.OUT)
            try:
                _, more_seconds, more_memory = started(size, MANY, provider, crowd)
            finally:
                crowd.stop(0)
            of_worker[size] = (more_seconds - seconds) / (MANY - 1), (more_memory - memory) / (MANY - 1)
        runs = {size: [] for size in SIZES}
        warm = [bench.load(running[size], case, 10 * case.connections) for size in SIZES]
        requests = max(case.connections, round(warm[0].requests / warm[0].seconds * bench.SECONDS))
        for nth in range(bench.ROUNDS):
            for size in SIZES[nth % len(SIZES) :] + SIZES[: nth % len(SIZES)]:
                runs[size].append(bench.load(running[size], case, requests).cpu_us)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        children.stop(0)
    least = runs[min(SIZES)]
    lines = ["| tenants | CPU µs a request | ÷ the fewest's | to configure a worker, s | memory of a worker, MB | of a tenant, bytes |", "|---:|---:|---:|---:|---:|---:|"]
    base = of_worker[min(SIZES)][1]
    for size in SIZES:
        seconds, memory = of_worker[size]
        ratio = bench.spread([own / few for own, few in zip(runs[size], least)])
        each = f"{(memory - base) * (1 << 20) / (size - min(SIZES)):,.0f}" if size >= 10_000 else ""
        lines.append(f"| {size:,} | {bench.told(bench.spread(runs[size]))} | {bench.told(ratio, 2)} | {seconds:.2f} | {memory:.1f} | {each} |")
    (bench.OUT / "scale.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
