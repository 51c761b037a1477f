"""What the scripts of all SDKs share: where the gateway is, what was slept and used, and how cases are run.

Usage: SCRIPT GATEWAY_URL. Each case prints its name, and of each answer what the SDK says was used, which the Rust side
compares with the books. The first case that fails ends with its traceback.
"""

import contextlib
import json
import sys
import time

GATEWAY = sys.argv[1]
QUESTION = "What does a gateway settle?"
TOO_LARGE = "x" * (5 << 20)

# Naps are counted, and skipped.
naps = []
sleep = time.sleep
time.sleep = naps.append


@contextlib.contextmanager
def slept_in_earnest(until):
    """It does not end before this, by `time.monotonic`. How often it slept, who counts what was sent says."""
    time.sleep = sleep
    try:
        yield
    finally:
        time.sleep = naps.append
    ended = time.monotonic()
    assert until <= ended, until - ended


def used(headers, **counts):
    """An answer of the tenant that is named as the SDK: its counts, all of the prompt being the input."""
    request_id = headers["x-request-id"]
    print("used", json.dumps({"request_id": request_id, "counts": counts}), flush=True)


def run(*cases):
    for case in cases:
        print(case.__name__, flush=True)
        case()
    print(f"{len(cases)} cases hold", flush=True)
