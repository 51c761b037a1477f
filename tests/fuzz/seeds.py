"""What the fuzzers start from: the corpus of tests/fixtures in the form that each target reads, and the words of the
tables in src as libFuzzer's dictionary. Everything is written below the folder named; nothing of it is kept in git."""

import json
import re
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests/fixtures"
LARGEST = 32 * 1024
# What clients write for "no bound" and "no options".
OPEN = [
    ("openai_chat", {"stream_options": None, "max_tokens": None}),
    ("openai_chat", {"role": "chat", "max_completion_tokens": -1, "sensitivity": "internal", "max_tokens": 0}),
    ("openai_completions", {"max_tokens": 0, "prompt": "x"}),
    ("anthropic_messages", {"max_tokens": 0, "system": [{"text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}),
    ("openai_chat", {"stream_options": {}, "max_completion_tokens": None}),
    ("openai_chat", {"stream_options": {"include_usage": None, "x": 1}}),
    ("gateway_chat", {"role": "chat", "sensitivity": "internal", "stream": True}),
    ("gateway_chat", {"role": "chat", "model": None, "tools": [{}]}),
    ("openai_completions", {"stream_options": {"include_usage": False}, "n": 2, "best_of": 3}),
    ("openai_responses", {"max_output_tokens": None}),
    ("gemini_generate", {"generationConfig": None}),
    ("gemini_generate", {"generation_config": {"max_output_tokens": None, "candidate_count": 2}}),
    ("bedrock_converse", {"inferenceConfig": {}}),
    ("ollama_chat", {"options": {"num_predict": -1, "seed": 1}}),
    ("ollama_generate", {"options": None}),
    ("ollama_chat", {"Model": "x", "\u017ftream": True, "options": {"num_predict": 1, "NUM_PREDICT": 9}}),
]

# What names a model, a role, a sensitivity or a request: the number of the path with its rest, and the headers' values.
NAMED = [
    ((0, "?x=1"), ["id-1", "chat", "internal", "application/json"]),
    ((1, ""), ["id-1", "", "restricted"]),
    ((5, ""), ["id-1", "chat", "", "multipart/form-data; boundary=b"]),
    ((6, "gemini%0d%0ax:generateContent"), []),
    ((6, "gemini-2.5-flash:streamGenerateContent?alt=sse"), ["i\rd"]),
    ((7, "us.anthropic.claude%3A0/converse"), ["id-1", "agent\n"]),
]


def schemas():
    """The names of `schema::ALL`, in its order."""
    folder = ROOT / "src/llm/schema"
    modules = {}
    for path in sorted(folder.rglob("*.rs")):
        module = path.relative_to(folder).with_suffix("").parts[0]
        modules[module] = modules.get(module, "") + path.read_text()
    table = re.search(r"pub static ALL: .*?= \[(.*?)\];", (ROOT / "src/llm/schema.rs").read_text(), re.S)[1]
    names = []
    for module, constant in re.findall(r"&(\w+)::(\w+)", table):
        names.append(re.search(rf'pub static {constant}: Schema =\s*Schema \{{\s*name: "(\w+)"', modules[module])[1])
    return names


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, content):
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def struct_value(value):
    if value is None:
        return b"\x08\x00"
    if isinstance(value, bool):
        return bytes([0x20, value])
    if isinstance(value, (int, float)):
        return b"\x11" + struct.pack("<d", value)
    if isinstance(value, str):
        return field(3, value.encode())
    if isinstance(value, list):
        return field(6, b"".join(field(1, struct_value(item)) for item in value))
    return field(5, struct_object(value))


def struct_object(value):
    """A `google.protobuf.Struct`, as Envoy hands over what was written as YAML."""
    return b"".join(field(1, field(1, key.encode()) + field(2, struct_value(item))) for key, item in value.items())


def frames(text):
    """The bytes of a `.frames` answer; the checksums are the client's to check."""
    out = b""
    for line in text.splitlines():
        frame = json.loads(line)
        headers = b""
        for name, value in frame["headers"].items():
            headers += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        payload = json.dumps(frame["payload"], separators=(",", ":"), ensure_ascii=False).encode()
        out += struct.pack(">III", len(headers) + len(payload) + 16, len(headers), 0) + headers + payload + bytes(4)
    return out


def cases():
    for path in sorted(FIXTURES.glob("*/*/case.json")):
        case = json.loads(path.read_text())
        answer = (path.parent / case["answer"]).read_bytes()
        if case["answer"].endswith(".frames"):
            answer = frames(answer.decode())
        yield path.parent, case, answer


def configurations():
    prices = json.loads((FIXTURES / "prices.json").read_text())
    rate = {"input_usd_per_1m_tokens": "2.50", "output_usd_per_1m_tokens": "10"}
    small = [{"model": "gpt-4o-mini", **rate}]
    least = {"tenants": {"t": {}}, "prices": small}
    full = {
        "tenant_header": "x-tenant-id",
        "unknown_tenants": "share_default",
        "role_header": "x-ai-role",
        "roles": ["chat", "code"],
        "tenants": {
            "default": {"tier": "low"},
            "acme": {
                "tier": "premium",
                "limits": {"requests_per_minute": 5, "tokens_per_minute": 90000},
                "budgets": {"request_usd": "0.5", "day_usd": "20", "month_usd": "100"},
                "models": ["gpt-4o*", "tiny"],
                "audit": ["day_usd"],
                "unlimited": ["requests_per_day"],
            },
        },
        "tiers": {"own": {"limits": {"expensive_per_minute": 2}, "audit": [], "unlimited": ["month_usd"]}},
        "providers": {
            "one": {"cluster": "provider"},
            "two": {"cluster": "other-provider", "stream_usage_option": False, "reported_cost": "charge"},
        },
        "paths": [
            {"path": "/own/{model}:run", "api": "openai_chat", "streams": True},
            {"path": "**/free/*", "api": "none"},
        ],
        "prices": small
        + [
            {"model": "gpt-4o*", **rate, "output_bound_field": "max_tokens", "cached_input_usd_per_1m_tokens": "1.25"},
            {"model": "gpt-4o*", "from": "2027-01-01", **rate},
            {"model": "one/gpt-4o", **rate, "above": [{"input_tokens": 200000, "input_usd_per_1m_tokens": "5"}]},
            {"model": "tiny", **rate, "service_tiers": {"flex": {"input_usd_per_1m_tokens": "1"}}},
        ],
        "unpriced": {"policy": "price_as", "model": "gpt-4o-mini"},
        "aliases": {"fast": "gpt-4o-mini", "best": "gpt-4o"},
        "limits": {"requests_per_minute": 60, "requests_per_hour": 1000, "requests_per_day": 10000},
        "expensive": {"models": ["gpt-4o"], "over_usd": "0.02"},
        "output": {"default_max_tokens": 4096, "min_tokens": 16},
        "max_request_bytes": 4194304,
        "reservation_lease_seconds": 900,
        "on_contention": "allow",
    }
    served = [{"provider": "one"}, {"provider": "two", "model": "other/*"}]
    routed = least | {
        "sensitivity_header": "x-ai-sensitivity",
        "default_sensitivity": "public",
        "roles": ["chat"],
        "providers": {
            "one": {"cluster": "provider", "sensitivity": "restricted", "base_path": "/api/v1", "apis": ["openai_chat"]},
            "two": {"cluster": "second", "sensitivity": "internal", "paths": {"openai_chat": "/d/{model}"}, "key": "absent"},
        },
        "models": [
            {"model": "gpt-4o-mini", "providers": served[:1], "context_tokens": 128000, "tools": True},
            {"model": "gpt-4o-*", "providers": served},
        ],
        "unpriced": {"policy": "allow"},
        "virtual_models": {"cheap": ["gpt-4o-mini"], "test": {"split": {"gpt-4o-mini": 1}, "sticky": "user"}},
        "role_models": {"chat": "cheap"},
        "status": {"cluster": "admin", "allow": ["10.0.0.0/8", "::1"]},
    }
    yield least
    yield full
    yield routed
    yield routed | {"tenants": {"t": {"role_models": {"chat": "gpt-4o-mini"}}}}
    # Short ones, in which a change more often hits what matters.
    for key, value in full.items():
        if key not in ("tiers", "tenants", "prices"):
            yield least | {key: value}
    # And such as must be refused.
    yield least | {"reservation_lease_seconds": 1801}
    yield least | {"output": {"default_max_tokens": 8, "min_tokens": 16}}
    yield least | {"aliases": {"fast": "unpriced"}}
    for key in ("tiers", "tenants"):
        for name, value in full[key].items():
            yield least | {key: {name: value}}
    for price in full["prices"]:
        yield least | {"prices": [price]}
    for at in range(0, len(prices), 8):
        yield {"tenants": {"t": {"unlimited": ["request_usd", "day_usd"]}}, "prices": prices[at : at + 8]}


def parts():
    """Parts of forms, the one after the model."""
    disposition = "Content-Disposition: form-data; "
    yield "file", f'{disposition}name="file"; filename="a.mp3"\r\nContent-Type: audio/mpeg\r\n\r\nID3\r\n--\r\n'
    yield "stream", f'{disposition}name="stream"\r\n\r\ntrue'
    yield "choices", f'{disposition}name="n"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n2'
    yield "encoded", f"{disposition}name*=utf-8''model\r\n\r\nx"
    yield "escaped", f'{disposition}filename="a\\"b"; name=x\r\n\r\nx'
    yield "bare", f'{disposition}name="x"\n\nx\n--b\n{disposition}NAME=model\n\nx'


def words():
    """Names of fields and values, as they stand in the tables and in the configuration's types."""
    sources = [*(ROOT / "src/llm").rglob("*.rs"), *(ROOT / "src/config").rglob("*.rs"), ROOT / "src/config.rs"]
    found = set()
    for source in sources:
        text = source.read_text().split("#[cfg(test)]")[0]
        found.update(re.findall(r'"([A-Za-z][A-Za-z0-9_.\-]{1,40})"', text))
        found.update(re.findall(r"^ +pub (\w+):", text, re.M))
    return sorted(found)


# In the order of the target's paths.
CALLING = ["openai_chat", "openai_responses", "anthropic_messages", "gemini_generate", None, "bedrock_converse", "cohere_chat", "ollama_chat"]


def planted(body):
    """The body with something to be found in every other text of it, and in one number."""
    texts = iter(range(1 << 30))
    found = [b"jo.doe@example.com", b"4111 1111 1111 1111", b"jo\\u0040example.com"]

    def plant(text):
        nth = next(texts)
        return text[0] if nth % 2 else text[0][:-1] + b" " + found[nth // 2 % 3] + b'"'

    return re.sub(rb'"[^"\\{}]{3,}"(?=[,}\]])', plant, body).replace(b'"created":', b'"unheard_of":4111111111111111,"created":')


def main(out):
    names = schemas()
    written = {}

    def write(target, name, content):
        folder = out / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content[:LARGEST])
        written[target] = written.get(target, 0) + 1

    forms = {"application/vnd.amazon.eventstream": 2, "text/event-stream": 1}
    for folder, case, answer in cases():
        api, name = names.index(folder.parent.name), f"{folder.parent.name}-{folder.name}"
        request = json.dumps(case["request"]).encode()
        named_by_path = "model" not in case["request"]
        write("request", name, bytes([api, named_by_path, 9, 7, 1, 2]) + request)
        form = forms.get(case["headers"].get("content-type", "").split(";")[0], 0)
        write("answer", name, bytes([api, form, 3, 1]) + answer)
        if form == 1:
            write("answer", name + "-withheld", bytes([api, form | 8, 2, 7]) + answer)
        write("scanner", name + "-request", b"\x01\x02" + request)
        if form == 0:
            write("scanner", name, b"\x02\x03" + answer)
        # Somebody's address, in what each of them says.
        write("content", name + "-request", bytes([api, 0, 5, 1]) + planted(request))
        if form < 2:
            write("content", name, bytes([api, 1, 3, 1]) + planted(answer))
        if form < 2 and folder.parent.name in CALLING:
            said = bytes([CALLING.index(folder.parent.name), form, 3, 1]) + request + b"\n" + answer
            write("tools", name, said)
    # The edges that no fixture touches: the deepest nesting, the longest text that is kept, the largest event that is
    # held, keys that come again.
    for depth in (127, 128, 129):
        write("scanner", f"deep-{depth}", b"\x01\x02" + b'{"messages":' * depth + b"0" + b"}" * depth)
    repeated = b'"model":1,"model":[{"x":2},[3]],"messages":[{"role":"a","role":["b"]}],"messages":{"content":{}}'
    write("scanner", "repeated", b"\x01\x02[{" + repeated + b',"options":{"usage":1,"usage":{}},"stop":[],"stop":["c"]}]')
    for length in (255, 256, 257):
        text = json.dumps({"model": "x" * length, "stop": "\u20ac" * (length // 3 + 1)}, ensure_ascii=False)
        write("scanner", f"long-{length}", b"\x01\x02" + text.encode())
    usage = 'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}\n\n'
    for length in (16300, 17000):
        content = 'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % ("x" * length)
        write("answer", f"large-{length}", bytes([names.index("openai_chat"), 9, 7, 1]) + (content + usage).encode())
    for nth, ((base, rest), headers) in enumerate(NAMED):
        # As many bytes of the path's rest, of the headers' values, and of the provider's `retry-after`.
        tail, values = rest.encode(), "\0".join(headers).encode()
        body = {"model": "auto", "messages": [], "contents": [], "documents": [], "input": "x", "role": "chat"}
        lengths = bytes([base, len(tail), len(values), 2, 3, 7])
        write("exchange", f"named-{nth}", lengths + tail + values + b"30" + json.dumps(body).encode())
    for nth, (api, extra) in enumerate(OPEN):
        body = {"stream": True, **extra, "model": "m", "messages": [], "contents": []}
        write("request", f"open-{nth}", bytes([names.index(api), "gemini" in api, 9, 7, 1, 2]) + json.dumps(body).encode())
    for nth, boundary in enumerate(("b", "-b--b", "----WebKitFormBoundary7MA4YWxkTrZu0gW")):
        for name, content in parts():
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--{boundary}\r\n'
            write("form", f"{name}-{nth}", bytes([nth, 1, 2]) + (head + f"{content}\r\n--{boundary}--\r\n").encode())
    messages = {":message-type": "event", ":exception": "e", ":x": "eexception"}
    for name, value in messages.items():
        frame = json.dumps({"headers": {name: value}, "payload": {}})
        write("answer", f"frame{len(value)}", bytes([names.index("bedrock_converse"), 2, 1, 1]) + frames(frame))
    write("answer", "encoded", bytes([0, 3, 1, 1]) + b"\x1f\x8b\x08" + bytes(range(200)))
    write("answer", "opaque", bytes([5, 4, 1, 1]) + b"\xff\xfb" * 100)
    for nth, configuration in enumerate(configurations()):
        write("configuration", f"json-{nth}", json.dumps(configuration, indent=nth % 3 or None).encode())
        write("configuration", f"struct-{nth}", struct_object(configuration))
    constants = {
        name: int(re.search(rf"const {name}: usize = (\d+);", (ROOT / path).read_text())[1])
        for name, path in [("SLOTS", "src/limit/window.rs"), ("BUCKETS", "src/llm/estimate/density.rs")]
    }
    cell = 5 * (8 + constants["SLOTS"] * 4) + 2 * 24 + 8 + 32 * 8 + 8
    write("configuration", "cell-empty", b"NXC\x01" + bytes(cell))
    write("configuration", "cell-full", b"NXC\x01" + b"\xff" * cell)
    latest = 5 * constants["SLOTS"] * 2
    write("configuration", "cell-second", b"NXC\x02" + bytes(cell + latest))
    write("configuration", "cell-second-full", b"NXC\x02" + b"\xff" * (cell + latest))
    write("configuration", "density-empty", b"NXD\x01" + bytes(constants["BUCKETS"] * 16))
    write("configuration", "density", b"NXD\x01" + b"\x00\x20\x00\x00\x00\x08\x00\x00" * (constants["BUCKETS"] * 2))
    (out / "words.dict").write_text("".join(f'"{word}"\n"\\"{word}\\":"\n' for word in words()))
    print("seeds:", ", ".join(f"{target} {count}" for target, count in sorted(written.items())))


main(Path(sys.argv[1]))
