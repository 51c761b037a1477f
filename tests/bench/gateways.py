"""The Envoys that are compared: each is the shipped configuration, with another filter in the place of `nexus`."""

import json
import os
import subprocess
import sys

from launch import TOP, marked

# Admission is what is measured, not refusal: the work of every limit and budget is done, and none of them is reached.
PLENTY = {
    "limits": {name: 1_000_000_000 for name in ("requests_per_minute", "requests_per_hour", "requests_per_day", "tokens_per_minute", "expensive_per_minute")},
    "budgets": {"request_usd": "1000", "day_usd": "1000000", "month_usd": "1000000"},
}
TENANTS = {
    "bench": PLENTY,
    # The first is admitted, and all others of that day are refused.
    "spent": {"limits": {"requests_per_day": 1}},
    "small": {"tier": "low"},
}
KEY = "a-key-of-the-bench-alone"

FILTERS = "type.googleapis.com/envoy.extensions.filters.http"


def cut(text, begin, end, instead=""):
    """`instead` in the place of what stands from `begin` up to `end`."""
    before, found, rest = text.partition(begin)
    _, stop, after = rest.partition(end)
    if not found or not stop:
        sys.exit(f"bench: the shipped configuration has no part from {begin!r} to {end!r}")
    return before + instead + stop + after


def swapped(text, old, new):
    if old not in text:
        sys.exit(f"bench: the shipped configuration has no {old!r}")
    return text.replace(old, new)


def shipped(ports, log, wasm):
    text = (TOP / "envoy" / "envoy.yaml").read_text()
    text = cut(text, "\n  # Health and metrics for probes", "\n  clusters:\n")
    gateway, admin, provider = ports
    text = marked(text, "GATEWAY_PORT", "10000", str(gateway))
    text = marked(text, "ADMIN_PORT", "9901", str(admin))
    text = marked(text, "PROVIDER_PORT", "18080", str(provider))
    text = marked(text, "ACCESS_LOG", "/dev/stdout", json.dumps(str(log)))
    return marked(text, "WASM", "target/nexus_ai_gateway.wasm", json.dumps(str(wasm)))


NEXUS = "          - name: nexus\n"
BEHIND = "          # No `decompressor` here"
ROUTER = "          - name: envoy.filters.http.router\n"


def bare(ports, log, files):
    """Without the filter; routes, replies and logs stay."""
    return cut(shipped(ports, log, files.wasm), NEXUS, BEHIND)


def empty(ports, log, files):
    """A filter that does nothing, by the SDK's defaults: the floor of what any filter costs."""
    return unconfigured(ports, log, files.empty)


def ai_statistics(ports, log, files):
    """Higress' statistics of tokens, in Go."""
    return unconfigured(ports, log, files.peers / "ai-statistics.wasm", {})


def token_usage(ports, log, files):
    """GPUStack's, in Go as well."""
    return unconfigured(ports, log, files.peers / "token-usage.wasm", {})


def unconfigured(ports, log, wasm, configuration=None):
    text = shipped(ports, log, wasm)
    given = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": json.dumps(configuration)}
    given = f"                configuration: {json.dumps(given)}\n" if configuration is not None else ""
    return cut(text, "                configuration:\n", BEHIND, given)


def ours(ports, log, files, crowd=0):
    """Everything on, as shipped, but with tenants that reach no limit."""
    return with_tenants(shipped(ports, log, files.wasm), crowd)


def other(ports, log, files):
    """The same, by another build of the filter."""
    return with_tenants(shipped(ports, log, files.other))


def with_tenants(text, crowd=0):
    tenants = TENANTS | {f"tenant-{nth:06}": {"tier": "premium"} for nth in range(crowd)}
    return cut(text, "                    tenants:\n", "                    role_header:", f"{' ' * 20}tenants: {json.dumps(tenants)}\n")


def routed(ports, log, files, more=None):
    """production.yaml: keys of clients, a chain of providers, and the same module once more in the provider's cluster. `more` of its
    environment."""
    gateway, admin, provider = ports
    environment = {
        **{name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))},
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{provider}/v1",
        "CLIENT_KEYS": f"bench={KEY}",
        "GATEWAY_PORT": str(gateway),
        "ADMIN_PORT": str(admin),
        "EJECTED_PORT": str(files.spare_port),
        "WASM": str(files.wasm),
        **(more or {}),
    }
    target = log.with_suffix(".rendered")
    subprocess.run([TOP / "envoy" / "start" / "production", "--render", target], env=environment, check=True)
    text = cut(target.read_text(), "\n  # Health and metrics for probes", "\n  # The stand-in for every provider")
    text = marked(text, "ACCESS_LOG", "/dev/stdout", json.dumps(str(log)))
    text = marked(text, "FORWARD", "{}", "{headers: [x-sim]}")
    return with_tenants(text)


def native(ports, log, files):
    """What Envoy has of its own that comes nearest: it reads the usage, counts it by tenant, and limits requests."""
    text = bare(ports, log, files)
    manager = {
        "name": "envoy.filters.http.ai_protocol_manager",
        "typed_config": {
            "@type": f"{FILTERS}.ai_protocol_manager.v3.AiProtocolManager",
            "response_handling": {"token_usage": {}},
        },
    }
    bucket = {"max_tokens": 1_000_000_000, "tokens_per_fill": 1_000_000_000, "fill_interval": "60s"}
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    limit = {
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": f"{FILTERS}.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "bench",
            "token_bucket": bucket,
            "filter_enabled": always,
            "filter_enforced": always,
            "descriptors": [{"entries": [{"key": "tenant", "value": "bench"}], "token_bucket": bucket}],
            "rate_limits": [{"actions": [{"request_headers": {"header_name": "x-tenant-id", "descriptor_key": "tenant"}}]}],
        },
    }
    usage = "metadata.typed_filter_metadata['envoy.ai.token_usage']"
    tags = [
        {"name": "tenant", "value_format": "%REQ(X-TENANT-ID)%"},
        {"name": "model", "value_format": f"%CEL({usage}.model)%"},
    ]
    told = lambda name, value: {"stat": {"name": name, "tags": tags}, "value_format": f"%CEL({value})%"}
    stats = {
        "name": "envoy.access_loggers.stats",
        "filter": {
            "extension_filter": {
                "name": "told_usage",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                    "expression": "'envoy.ai.token_usage' in metadata.typed_filter_metadata",
                },
            }
        },
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config",
            "stat_prefix": "ai",
            "counters": [
                told("input_tokens", f"{usage}.input_tokens"),
                told("output_tokens", f"{usage}.output_tokens"),
                told("cost_nanousd", f"{usage}.input_tokens * uint(150) + {usage}.output_tokens * uint(600)"),
            ],
        },
    }
    text = swapped(text, ROUTER, f"          - {json.dumps(limit)}\n          - {json.dumps(manager)}\n{ROUTER}")
    text = swapped(text, "          access_log:\n", f"          access_log:\n          - {json.dumps(stats)}\n")
    per_route = {
        "envoy.filters.http.ai_protocol_manager": {
            "@type": f"{FILTERS}.ai_protocol_manager.v3.AiProtocolManagerPerRoute",
            "response": {"llm_protocol": "OPENAI_CHAT_COMPLETIONS"},
        }
    }
    text = swapped(
        text,
        "              - name: chat_completions\n",
        f"              - name: chat_completions\n                typed_per_filter_config: {json.dumps(per_route)}\n",
    )
    # The tenant's name must still be there when the counters are told.
    return swapped(text, "request_headers_to_remove: [x-tenant-id, ", "request_headers_to_remove: [")


ALL = {
    "bare": bare,
    "empty": empty,
    "ours": ours,
    "other": other,
    "routed": routed,
    "native": native,
    "ai-statistics": ai_statistics,
    "token-usage": token_usage,
}
