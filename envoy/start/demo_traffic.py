"""Who asks what of the gateway of `make demo`: its tenants, and every way in which an exchange can end.

What a provider does to a request, the request itself asks for (`x-sim`: see `GET /knobs` of the simulated provider).
"""

import concurrent.futures
import dataclasses
import http.client
import json
import math
import random
import threading
import time

PLENTY = {"requests_per_minute": 100_000, "requests_per_hour": 1_000_000, "requests_per_day": 10_000_000, "expensive_per_minute": 100_000}
# How many requests a second `startup` makes, and what one of them costs: its budget is made for four fifths of the time.
STARTUP_PER_SECOND = 2.0
STARTUP_NANOUSD = 76_400


def tenants(seconds):
    """The tenants of the plugin's configuration."""
    startup = int(0.8 * seconds * STARTUP_PER_SECOND * STARTUP_NANOUSD)
    return {
        "acme": {"tier": "premium", "limits": PLENTY},
        "globex": {"tier": "standard", "limits": PLENTY},
        "initech": {"tier": "premium", "limits": PLENTY},
        "clinic": {"tier": "standard", "limits": {**PLENTY, "requests_per_minute": 90}, "audit": ["requests_per_minute"]},
        "startup": {"tier": "standard", "limits": PLENTY, "budgets": {"day_usd": f"{startup / 1e9:.9f}"}},
        "pilot": {"tier": "low", "limits": PLENTY, "budgets": {"month_usd": "0.0006"}},
        "trial": {"tier": "low", "limits": {"requests_per_minute": 8}, "models": ["gpt-4o-mini", "gpt-4.1*"]},
        "batch": {"tier": "standard", "limits": {**PLENTY, "tokens_per_minute": 1_500}},
        "research": {"tier": "premium", "limits": {**PLENTY, "expensive_per_minute": 2}},
        # Whoever calls a hotline says more than a provider should know.
        "hotline": {
            "tier": "premium",
            "limits": PLENTY,
            "budgets": {"request_usd": "0.0005"},
            "overrun": "end",
            "tools": {"deny": ["delete_*"], "offered": "refuse", "called": "refuse"},
        },
    }


# Rules about texts.
CONTENT = {
    "rules": [
        {"name": "callers", "find": ["email", "phone"], "action": "restore", "tenants": ["hotline"]},
        {"name": "passwords", "find": ["url_credentials"], "action": "refuse", "tenants": ["hotline"]},
    ]
}


# Has a key, and is no tenant.
STRANGER = "former-customer"

WORDS = "why does the ledger of every quiet harbour show a sum that nobody who reads it at night would call settled".split()
# More than are ever under way.
CLIENTS = 200
# How long a model takes to begin, and between two tokens, in milliseconds.
PACE = {"gpt-4o-mini": (150, 8), "gpt-4o": (350, 15), "claude-sonnet-4": (500, 12), "llama3.2": (100, 25)}


@dataclasses.dataclass
class Asked:
    tenant: str | None
    path: str
    body: dict
    sim: str = ""
    headers: dict = dataclasses.field(default_factory=dict)
    # A client that leaves does so in the middle of a stream, or when its patience is over.
    leaves: bool = False
    patience: float = 90


class Customers:
    """Makes requests; of one seed always the same."""

    def __init__(self, seed=1):
        self.random = random.Random(seed)
        # Requests a second, how many there are in any case, and how one is made.
        self.habits = [
            (8.0, 1, self.acme_chats),
            (3.0, 1, self.acme_by_role),
            (3.0, 1, self.globex_responses),
            (3.0, 1, self.globex_embeds),
            (3.0, 1, self.initech_codes),
            (3.0, 1, self.initech_messages),
            (2.0, 1, self.clinic),
            (1.0, 4, lambda: self.call("Write to jo.doe@example.com, or call +44 20 7946 0958.")),
            (0.1, 2, lambda: self.call("It is at https://admin:hunter2@intranet.example.com/.")),
            (0.1, 2, lambda: self.call("Delete me.", tools=["get_customer", "delete_customer"])),
            # A provider that heeds no bound.
            (0.1, 2, lambda: self.chat("hotline", tokens=3_000, bound=30, stream=True, knobs="unbounded;gap_ms=1")),
            (STARTUP_PER_SECOND, 6, lambda: self.chat("startup", words=40, tokens=120, bound=120)),
            # More than they may.
            (0.5, 12, lambda: self.chat("trial", words=10)),
            (0.5, 12, lambda: self.chat("batch", words=40, tokens=60, bound=120)),
            (0.2, 12, lambda: self.chat("pilot", words=40, tokens=120, bound=120)),
            (0.2, 4, lambda: self.chat("research", model="gpt-4o", words=60, tokens=150, bound=2_500)),
            (0.1, 1, lambda: self.chat("pilot", model="gpt-4o", bound=4_000)),
            # Wrong, unknown, not theirs.
            (0.15, 2, lambda: Asked("acme", "/v1/chat/completions", {"model": "gpt-4o-mini", "messages": "?", "max_tokens": "many"})),
            (0.1, 2, lambda: self.chat(None)),
            (0.1, 2, lambda: self.chat(STRANGER)),
            (0.1, 2, lambda: self.chat("trial", model="gpt-4o")),
            (0.05, 2, lambda: self.chat("trial", model="gpt-4.1-preview")),
            (0.04, 1, lambda: self.chat("acme", words=900_000)),
            # Providers that refuse, fail, break off, or don't tell.
            (0.1, 1, lambda: self.chat("globex", knobs="status=422")),
            (0.04, 1, lambda: self.message("initech", knobs="status=429;retry_after=1")),
            (0.06, 1, lambda: self.chat("globex", knobs="status=500")),
            (0.06, 1, lambda: self.chat("acme", knobs="error_in_200")),
            (0.05, 1, lambda: self.chat("acme", knobs="failed=500")),
            (0.05, 1, lambda: self.chat("globex", knobs="reset")),
            (0.15, 3, lambda: self.chat("acme", stream=True, knobs="cut=7")),
            (0.15, 3, lambda: self.chat("globex", knobs="no_usage")),
            (0.05, 1, lambda: self.chat("acme", knobs="delay_ms=5000")),
            # Clients that don't wait for the end.
            (0.15, 3, lambda: dataclasses.replace(self.chat("acme", stream=True, tokens=80, knobs="gap_ms=40"), leaves=True)),
            (0.05, 1, lambda: dataclasses.replace(self.chat("initech", bound=200, stream=False, knobs="delay_ms=3000"), patience=0.5)),
        ]

    def text(self, words):
        return " ".join(self.random.choices(WORDS, k=words))

    def length(self, middle):
        """Most are about as long, and a few are much longer."""
        return max(4, min(8 * middle, int(self.random.lognormvariate(math.log(middle), 0.6))))

    def knobs(self, model, stream, tokens, more):
        first, gap = (int(self.random.lognormvariate(math.log(ms), 0.4)) for ms in PACE.get(model, PACE["gpt-4o-mini"]))
        pace = f"first_ms={first};gap_ms={gap}" if stream else f"delay_ms={first + gap * tokens}"
        return ";".join(filter(None, [f"tokens={tokens}", pace, more]))

    def chat(self, tenant, model="gpt-4o-mini", words=None, tokens=None, bound=None, stream=None, knobs="", headers=None):
        words, tokens = words or self.length(60), tokens or self.length(50)
        stream = self.random.random() < 0.5 if stream is None else stream
        body = {"model": model, "messages": [{"role": "user", "content": self.text(words)}]}
        if bound or self.random.random() < 0.7:
            body["max_tokens"] = bound or 400
        if stream:
            body["stream"] = True
            if self.random.random() < 0.5:
                body["stream_options"] = {"include_usage": True}
        return Asked(tenant, "/v1/chat/completions", body, self.knobs(model, stream, tokens, knobs), headers or {})

    def acme_chats(self):
        # A long prompt that mostly comes out of the provider's cache.
        if self.random.random() < 0.3:
            return self.chat("acme", words=300, knobs="cached=256", headers={"x-ai-role": "chat"})
        return self.chat("acme", headers={"x-ai-role": self.random.choice(["chat", "agent"])})

    def acme_by_role(self):
        role = self.random.choice(["chat", "chat", "agent", "code"])
        asked = self.chat("acme", tokens=self.length(40))
        del asked.body["model"]
        asked.body |= {"role": role, "sensitivity": self.random.choice(["public", "internal"])}
        return dataclasses.replace(asked, path="/api/ai/chat")

    def globex_responses(self):
        model, stream, tokens = self.random.choice(["gpt-4o-mini", "gpt-4o"]), self.random.random() < 0.5, self.length(70)
        body = {"model": model, "input": self.text(self.length(80)), "max_output_tokens": 600, "stream": stream}
        return Asked("globex", "/v1/responses", body, self.knobs(model, stream, tokens, f"reasoning={tokens // 2}"))

    def globex_embeds(self):
        body = {"model": "text-embedding-3-small", "input": [self.text(self.length(50)) for _ in range(self.random.randint(1, 6))]}
        return Asked("globex", "/v1/embeddings", body, f"dimensions=64;delay_ms={self.random.randint(20, 90)}")

    def initech_codes(self):
        return self.chat("initech", model="gpt-4o", words=self.length(120), stream=self.random.random() < 0.8, headers={"x-ai-role": "code"})

    def initech_messages(self):
        return self.message("initech", self.random.choice(["", "cached=128", "cache_write=128"]))

    def message(self, tenant, knobs=""):
        model, stream, tokens = "claude-sonnet-4", self.random.random() < 0.6, self.length(50)
        messages = [{"role": "user", "content": self.text(150 + self.length(40))}]
        body = {"model": model, "max_tokens": 500, "messages": messages, "stream": stream}
        return Asked(tenant, "/v1/messages", body, self.knobs(model, stream, tokens, knobs), {"x-ai-role": "agent"})

    def call(self, said, tools=()):
        asked = self.chat("hotline", bound=200)
        asked.body["messages"].append({"role": "user", "content": said})
        if tools:
            asked.body["tools"] = [{"type": "function", "function": {"name": name}} for name in tools]
        return asked

    def clinic(self):
        return self.chat("clinic", model=self.random.choice(["llama3.2", "gpt-4o-mini"]), headers={"x-ai-sensitivity": "restricted"})


class Traffic(threading.Thread):
    """Rises and falls twice, like two days; then goes on gently until it is told to end."""

    GENTLE = 2.0

    def __init__(self, port, seconds, keys):
        super().__init__(daemon=True)
        self.port, self.seconds, self.keys = port, seconds, keys
        self.customers = Customers()
        self.clients = concurrent.futures.ThreadPoolExecutor(CLIENTS)
        self.over = threading.Event()
        self.rushed = threading.Event()
        self.resume = threading.Event()

    def run(self):
        self.rush()
        self.rushed.set()
        self.resume.wait()
        habits = self.customers.habits
        while not self.over.wait(self.customers.random.expovariate(self.GENTLE)):
            self.ask(self.chosen(habits))

    def rush(self):
        began, chance = time.monotonic(), self.customers.random
        habits = self.customers.habits
        mean = sum(per_second for per_second, *_ in habits)
        # What there must be in any case is spread over the first half.
        due = sorted((chance.uniform(0, self.seconds / 2), nth) for nth, (_, times, _) in enumerate(habits) for _ in range(times))
        at = 0.0
        while True:
            at += chance.expovariate(mean * (1 - 0.5 * math.cos(4 * math.pi * at / self.seconds)))
            if at > self.seconds:
                break
            while due and due[0][0] < at:
                self.ask(habits[due.pop(0)[1]][2])
            if self.over.wait(max(0.0, began + at - time.monotonic())):
                return
            self.ask(self.chosen(habits))
        # Waits for the last answers.
        self.clients.shutdown()
        self.clients = concurrent.futures.ThreadPoolExecutor(CLIENTS)

    def chosen(self, habits):
        return self.customers.random.choices([make for *_, make in habits], [per_second for per_second, *_ in habits])[0]

    def ask(self, make):
        self.clients.submit(self.send, make())

    def send(self, asked):
        headers = {"content-type": "application/json", "x-sim": asked.sim, **asked.headers}
        if asked.tenant:
            headers["authorization"] = f"Bearer {self.keys[asked.tenant]}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=asked.patience)
        try:
            connection.request("POST", asked.path, json.dumps(asked.body), headers)
            answer = connection.getresponse()
            while answer.read1(512 if asked.leaves else 65_536) and not asked.leaves:
                pass
        except (OSError, http.client.HTTPException):
            pass  # it broke off, as it may here; what became of it the gateway says
        finally:
            connection.close()

    def end(self):
        self.over.set()
        self.resume.set()
        self.join(timeout=1)
        self.clients.shutdown(wait=False, cancel_futures=True)
