"""What was spent so far, from the gateway's records: `opening` of the plugin's configuration, for the Envoy that comes next.

A record counts for the day and the month (UTC) in which its request began. Money is counted in nano-USD, and written as the decimal string
that the configuration wants. Standard library only.
"""

import collections
import datetime
import gzip
import json
import zlib

BEGINS = b'{"v":'
# What reading a log may raise.
UNREADABLE = (OSError, EOFError, zlib.error)


def usd(nanos):
    whole, part = divmod(nanos, 10**9)
    return f"{whole}.{part:09d}".rstrip("0").rstrip(".")


class Spent:
    """Of one tenant or group, in all and by model group: what of the day, and of the month."""

    def __init__(self):
        self.all = [0, 0]
        self.model_groups = collections.defaultdict(lambda: [0, 0])

    def add(self, parts, today):
        for model_group, nanos in parts:
            for sums in [self.all] + ([self.model_groups[model_group]] if model_group else []):
                sums[0] += nanos if today else 0
                sums[1] += nanos

    def written(self):
        sums = lambda pair: {"day_usd": usd(pair[0]), "month_usd": usd(pair[1])}
        by_model = {name: sums(pair) for name, pair in sorted(self.model_groups.items())}
        return sums(self.all) | ({"model_groups": by_model} if by_model else {})


class Opening:
    """Sums up the records of a day and its month, and counts what was read."""

    def __init__(self, date):
        self.month, self.day = f"{date:%Y-%m}", f"{date:%Y-%m-%d}"
        self.tenants, self.groups = (collections.defaultdict(Spent) for _ in range(2))
        self.records = self.others = self.again = 0
        # What each log that was read begins with.
        self.begun = set()

    def add(self, record):
        """One that is no record raises ValueError, KeyError, TypeError or AttributeError, and nothing has been added."""
        time, tenant, above = record["time"], record["tenant"], record.get("groups") or ()
        # A failed attempt is of the group of the model that failed.
        parts = [(failed.get("model_group"), int(failed["cost_nanousd"])) for failed in record.get("failed_attempts") or ()]
        parts.append((record.get("model_group"), int(record["cost_nanousd"]) - sum(nanos for _, nanos in parts)))
        if not time.startswith(self.month):
            return
        self.records += 1
        parts = [(models, nanos) for models, nanos in parts if nanos]
        for spent in [self.tenants[tenant]] * bool(parts) + [self.groups[group] for group in above if parts]:
            spent.add(parts, time.startswith(self.day))

    def read(self, lines):
        """Lines of an access log: each record of the month counts, whatever stands before it in its line. A log that begins with the
        record that another began with is the same one, kept as it is and compressed."""
        month, first = self.month.encode(), None
        for line in lines:
            if month not in line:
                continue
            # A line that broke off when its Envoy was killed may have the next one behind it.
            line = line[max(line.rfind(BEGINS), 0) :].strip()
            try:
                record = json.loads(line)
                # Lines of requests that are none to a model have no `v`.
                if "v" not in record:
                    continue
                if first is None and line in self.begun:
                    self.again += 1
                    return
                if first is None:
                    self.begun.add(first := line)
                self.add(record)
            except (ValueError, KeyError, TypeError, AttributeError):
                self.others += 1

    def read_file(self, path):
        """An access log, as it is or compressed by gzip."""
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            self.read(gzip.open(file) if packed else file)

    def written(self):
        """`opening`."""
        written = lambda sums: {name: spent.written() for name, spent in sorted(sums.items())}
        balances = {"date": self.day, "tenants": written(self.tenants), "groups": written(self.groups)}
        return {"balances": {name: value for name, value in balances.items() if value}}


def today():
    return datetime.datetime.now(datetime.timezone.utc).date()
