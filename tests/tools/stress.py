"""Runs a command while every processor is busy with something else: what waits for a condition holds then too, and what waits for a
time doesn't.

  stress.py [--per-processor 2] [--times 1] [--minutes 120] COMMAND ...

The load ends with this program, however that ends, and after its minutes in any case. Standard library only.
"""

import argparse
import os
import subprocess
import sys
import time


def load(parent, until):
    """Computes for as long as the program is there."""
    while os.getppid() == parent and time.monotonic() < until:
        sum(range(1_000_000))
    os._exit(0)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--per-processor", type=int, default=2, help="busy loops for each processor (2)")
    arguments.add_argument("--times", type=int, default=1, help="how often the command runs, until it fails (1)")
    arguments.add_argument("--minutes", type=float, default=120, help="after so many the load ends (120)")
    arguments.add_argument("command", nargs=argparse.REMAINDER)
    arguments = arguments.parse_args()
    processors = len(os.sched_getaffinity(0))
    parent, until = os.getpid(), time.monotonic() + 60 * arguments.minutes
    for _ in range(processors * arguments.per_processor):
        if os.fork() == 0:
            load(parent, until)
    print(f"stress: {processors * arguments.per_processor} busy loops on {processors} processors", flush=True)
    for nth in range(arguments.times):
        began = time.monotonic()
        status = subprocess.run(arguments.command).returncode
        took, load_then = time.monotonic() - began, os.getloadavg()[0]
        print(f"stress: run {nth + 1} of {arguments.times} {'failed' if status else 'held'} in {took:.0f} s, load average {load_then:.1f}", flush=True)
        if status:
            sys.exit(status)


if __name__ == "__main__":
    main()
