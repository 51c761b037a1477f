"""What all who count say of the same exchanges, beside each other: the access log, Envoy's stats, Prometheus, PostgreSQL, and
the ledgers of the providers."""

import collections
import json
import re
import time
import urllib.parse
import urllib.request

# Seconds until all who count have heard of everything, on a machine that is busy with something else.
PATIENCE = 120
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def got(url):
    with OPENER.open(url, timeout=10) as answer:
        return answer.read().decode()


def stats(admin):
    """Name, labels and value of each series of the gateway at Envoy's admin."""
    found = re.findall(r"^(ai_gateway_\w+)\{?(.*?)\}? (\d+)$", got(f"{admin}/stats/prometheus?filter=ai_gateway"), re.MULTILINE)
    return [(name, dict(re.findall(r'(\w+)="(.*?)"', labels)), int(value)) for name, labels, value in found]


def total(series, name, **labels):
    return sum(value for found, has, value in series if found == name and labels.items() <= has.items())


def records(access_log):
    return [json.loads(line) for line in access_log.read_text().splitlines() if line.startswith('{"v":1,')]


class Figures(collections.namedtuple("Figures", "exchanges input_tokens output_tokens cost_nanousd")):
    """What one of them says in sum."""

    def __str__(self):
        return f"{self.exchanges:>10,} {self.input_tokens:>14,} {self.output_tokens:>14,} {self.cost_nanousd / 1e9:>16.9f}"


def of_records(lines):
    # What failed attempts cost is in an exchange's cost, and what they used is beside its usage.
    tokens = [sum(part[field] for line in lines for part in (line, *line.get("failed_attempts", []))) for field in Figures._fields[1:3]]
    return Figures(len(lines), *tokens, sum(line["cost_nanousd"] for line in lines))


def of_stats(admin):
    series = stats(admin)
    tokens = [total(series, "ai_gateway_tokens_total", direction=direction) for direction in ("input", "output")]
    return Figures(total(series, "ai_gateway_requests_total"), *tokens, total(series, "ai_gateway_cost_nanousd_total"))


def of_prometheus(url):
    def asked(query):
        answer = json.loads(got(f"{url}/api/v1/query?" + urllib.parse.urlencode({"query": query})))
        return float(answer["data"]["result"][0]["value"][1]) if answer["data"]["result"] else 0.0

    tokens = [asked(f'sum(ai_gateway_tokens_total{{direction="{direction}"}})') for direction in ("input", "output")]
    # Prometheus knows nothing but floats; they hold these sums to far less than a nano-dollar.
    cost = asked("sum(ai_gateway_cost_usd_total)") * 1e9
    return Figures(*map(round, [asked("sum(ai_gateway_requests_total)"), *tokens, cost]))


def of_postgres(select):
    sums = ", ".join(f"coalesce(sum({field}), 0)" for field in ("requests", *Figures._fields[1:]))
    return Figures(*map(int, select(f"select {sums} from ai_gateway.invoices").split("|")))


def until(look, holds, seconds):
    """What is seen once it holds, or at last."""
    deadline = time.monotonic() + seconds
    while not holds(seen := look()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return seen


def settled(admin, access_log, ledgers):
    """Waits until no exchange is open anywhere; then the records and the ledgers' entries."""
    until(lambda: total(stats(admin), "ai_gateway_active_connections"), lambda count: count == 0, PATIENCE)
    entries = until(ledgers, lambda entries: all(entry["ending"] != "open" for entry in entries), PATIENCE)
    expected = of_stats(admin).exchanges
    return until(lambda: records(access_log), lambda lines: len(lines) >= expected, PATIENCE), entries


def beside_each_other(lines, others, seconds):
    """Prints what each says in sum, and tells whether it is the same. `others`: who it is, and how they are asked."""
    expected = of_records(lines)
    print(f"{'':<24}{'requests':>10} {'input tokens':>14} {'output tokens':>14} {'charged, USD':>16}")
    print(f"  {'access log':<22}{expected}")
    agreed = True
    for name, look in others:
        said = until(look, lambda said: said == expected, seconds)
        agreed = agreed and said == expected
        print(f"  {name:<22}{said}{'' if said == expected else '   DIFFERS'}")
    return agreed


def outcomes(lines, series, select):
    """Prints how the exchanges ended, and tells whether the records, wherever they are, and the stats say the same."""
    recorded = collections.Counter((line["outcome"], line["status"]) for line in lines)
    if select:
        rows = [row.split("|") for row in select("select outcome, status, count(*) from ai_gateway.exchanges group by 1, 2").splitlines()]
        if {(outcome, int(status)): int(count) for outcome, status, count in rows} != recorded:
            print("  PostgreSQL has others than the access log")
            return False
    by_name = collections.Counter()
    for (outcome, status), count in sorted(recorded.items()):
        by_name[outcome] += count
        print(f"  {outcome:<26}{status or '':<5}{count:>8,}")
    counted = collections.Counter()
    for name, labels, value in series:
        if name == "ai_gateway_requests_total" and value:
            counted[labels["status"]] += value
    return by_name == counted


def invoices(select, series):
    """Prints what each tenant owes, and tells whether every line of the invoices is what Envoy's stats say."""
    rows = [row.split("|") for row in select("select tenant, provider, model, sum(cost_nanousd) from ai_gateway.invoices group by 1, 2, 3").splitlines()]
    owed = {(tenant, provider, model): int(cost) for tenant, provider, model, cost in rows if int(cost)}
    counted = collections.Counter()
    for name, labels, value in series:
        if name == "ai_gateway_cost_nanousd_total" and value:
            counted[labels["tenant"], labels["provider"], labels["model"]] += value
    of_tenants = collections.Counter()
    for (tenant, *_), cost in owed.items():
        of_tenants[tenant] += cost
    for tenant, cost in of_tenants.most_common():
        print(f"  {tenant:<18}{cost / 1e9:>14.9f}")
    print(f"  by tenant, provider and model {'as in Envoy`s stats' if owed == counted else 'NOT WHAT ENVOY`S STATS SAY'}".replace("`", "'"))
    return owed == counted


def unread(select, prometheus):
    """Prints how many lines of the access log PostgreSQL could not read, and tells whether there is none, and Prometheus knows."""
    count = int(select("select count(*) from ai_gateway.unread"))
    print(f"  lines that are no record      {count:>4}")
    known = lambda: json.loads(got(f"{prometheus}/api/v1/query?query=ai_gateway_records_unread"))["data"]["result"]
    if prometheus and [series["value"][1] for series in until(known, bool, PATIENCE)] != [str(count)]:
        print("  Prometheus says something else of them")
        return False
    return count == 0


# What was charged of exchanges whose usage was told must be what was billed. All else is an estimate, or nothing.
TOLD, BROKEN, NOTHING = "usage was reported", "  attempts of these that were truncated", "an error without usage: not charged"
ESTIMATED = {
    "success": "estimated: no usage reported",
    "provider_aborted": "estimated: the answer was truncated",
    "client_closed": "estimated: the client left",
    "budget_exhausted": "estimated: the stream was ended",
}


def matched(line, entries):
    """What was billed for the attempts of this exchange whose usage was told, what for others, and whether these differ from
    what was charged: each charge must be a bill, and each bill of an answer that was sent to its end must be a charge."""
    failed = [attempt["cost_nanousd"] for attempt in line.get("failed_attempts", [])]
    charges = collections.Counter([*failed, line["cost_nanousd"] - sum(failed)])
    # One that a provider broke off right behind its usage is a charge as well, if it came through.
    bills = sorted((not entry["delivered"], entry["cost_nanousd"]) for entry in entries)
    told = broken = missed = 0
    for cut_off, bill in bills:
        if charges[bill]:
            charges[bill] -= 1
            told += bill
        else:
            broken += bill
            missed += 0 if cut_off else bill
    return told, broken, missed or any(charge * times for charge, times in charges.items())


def against_ledgers(lines, entries):
    """Prints what was charged beside what was billed for the same exchanges, and tells whether it is equal where it must be."""
    billed = collections.defaultdict(list)
    for entry in entries:
        billed[entry["request_id"]].append(entry)
    rows = {name: [0, 0, 0] for name in (TOLD, BROKEN, *ESTIMATED.values(), NOTHING)}
    wrong = []

    def add(name, charged, billed):
        if charged or billed:
            rows[name] = [sum(pair) for pair in zip(rows[name], (1, charged, billed))]

    for line in lines:
        charged, of_it = line["cost_nanousd"], billed.pop(line["request_id"], [])
        whole = sum(entry["cost_nanousd"] for entry in of_it)
        if line["usage_source"] == "estimated":
            add(ESTIMATED[line["outcome"]], charged, whole)
        elif not charged and line["usage_source"] == "none":
            add(NOTHING, charged, whole)
        else:
            told, broken, differs = matched(line, of_it)
            add(TOLD, charged, told)
            add(BROKEN, 0, broken)
            if differs:
                wrong.append(f"{line['request_id']}: charged {charged}, billed {told} nano-dollars")
    print(f"{'':<40}{'requests':>10} {'charged, USD':>14} {'billed, USD':>14}")
    for name, (count, charged, bill) in rows.items():
        equal = "equal, each of them" if not wrong else "DIFFERS"
        note = equal if name == TOLD else f"{charged / bill - 1:+.1%}" if charged and bill else ""
        print(f"  {name:<38}{count:>10,} {charged / 1e9:>14.9f} {bill / 1e9:>14.9f}   {note}".rstrip())
    _, charged, bill = (sum(column) for column in zip(*rows.values()))
    print(f"  {'sum':<38}{'':>10} {charged / 1e9:>14.9f} {bill / 1e9:>14.9f}")
    for difference in wrong[:5]:
        print(f"  {difference}")
    if billed:
        print(f"  {len(billed)} requests in the ledgers are in no record")
    return not wrong and not billed
