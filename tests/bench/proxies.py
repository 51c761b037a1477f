"""Gateways that are programs of their own: each in front of the same provider, with what it has of keys, limits, budgets and counts
switched on, as far as that needs no other server. Make installs them (`make bench BENCH_PROXIES="crabllm litellm"`).
"""

import json
from urllib.parse import urlsplit

# They pass no `x-sim` on, but the provider takes the same behind a model's name.
MODELS = ["gpt-4o-mini+tokens=60", "gpt-4o-mini+tokens=500,gap_ms=1"]
KEY = "a-key-of-the-bench-alone"


class Proxy:
    """How a gateway is started, and what it wants asked otherwise."""

    path, prefix, headers = "/v1/chat/completions", "", {}
    # Of the requests that an Envoy is asked: a slow one would be asked for minutes.
    share = 1
    streams = True

    def __init__(self, installed, directory, port, provider):
        self.installed, self.directory, self.port, self.upstream = installed, directory, port, f"http://127.0.0.1:{provider}/v1"

    def asked(self, body, sim):
        return {**body, "model": f"{self.prefix}{body['model']}+{sim.replace('; ', ',')}"}

    def port_now(self):
        """Where it listens, once that is known."""
        return self.port

    def written(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return str(path)


class Crabllm(Proxy):
    """Rust. A key, its limits by minute, its budget, its usage."""

    def command(self):
        price = "input_cost_per_million = 0.15\noutput_cost_per_million = 0.60\n"
        prices = "\n".join(f'[models."{model}".pricing]\n{price}' for model in MODELS)
        configuration = f"""
listen = "127.0.0.1:{self.port}"

[providers.openai]
kind = "openai"
api_key = "none"
base_url = "{self.upstream}"
models = {json.dumps(MODELS)}

[[keys]]
name = "bench"
key = "{KEY}"
models = ["*"]

{prices}
[extensions.rate_limit]
requests_per_minute = 1000000000
tokens_per_minute = 1000000000000

[extensions.usage]

[extensions.budget]
default_budget = 1000000.0
"""
        return [str(self.installed / "bin" / "crabllm"), "serve", "--config", self.written("crabllm.toml", configuration)], {}


class TensorZero(Proxy):
    """Rust. Counts and costs go to a database, which it is not given: it only translates and passes on."""

    path, prefix = "/openai/v1/chat/completions", "tensorzero::model_name::"

    def command(self):
        configuration = "gateway.observability.enabled = false\n"
        for model in MODELS:
            configuration += f"""
[models."{model}"]
routing = ["openai"]

[models."{model}".providers.openai]
type = "openai"
model_name = "{model}"
api_base = "{self.upstream}/"
"""
        start = (
            "import sys, time, tensorzero as it; "
            "gateway = it._start_http_gateway(config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False); "
            "open(sys.argv[2], 'w').write(gateway.base_url); time.sleep(1e9)"
        )
        command = [str(self.installed / "bin" / "python"), "-c", start, self.written("tensorzero.toml", configuration), str(self.address)]
        self.address.unlink(missing_ok=True)
        return command, {"OPENAI_API_KEY": "none"}

    def port_now(self):
        return urlsplit(self.address.read_text()).port if self.address.exists() else None

    @property
    def address(self):
        return self.directory / "address"


class Portkey(Proxy):
    """TypeScript. The open gateway has neither keys nor limits: it translates and passes on."""

    share = 0.1
    # It answers 500 ("TypeError: immutable") under Node.js 20, which Debian 12 has.
    streams = False

    @property
    def headers(self):
        return {"x-portkey-provider": "openai", "x-portkey-custom-host": self.upstream}

    def command(self):
        # It has no option for it, and would listen to everybody.
        loopback = self.written(
            "loopback.cjs",
            "const { Server } = require('net'); const { listen } = Server.prototype;\n"
            "Server.prototype.listen = function (port, ...rest) {\n"
            "  const options = typeof port === 'object' ? { ...port, host: '127.0.0.1' } : { port, host: '127.0.0.1' };\n"
            "  return listen.call(this, options, ...rest.filter((each) => typeof each === 'function'));\n"
            "};\n",
        )
        server = self.installed / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
        return ["node", "--require", loopback, str(server), f"--port={self.port}", "--headless"], {"NODE_ENV": "production"}


class LiteLlm(Proxy):
    """Python, one worker. Keys and budgets of their own need PostgreSQL: a master key, prices and counts in memory."""

    share = 0.02

    def asked(self, body, sim):
        # To it, a comma is between two models.
        return super().asked(body, sim.replace("; ", "-"))

    def command(self):
        there = {"api_base": self.upstream, "api_key": "none"}
        configuration = {
            "model_list": [{"model_name": model.replace(",", "-"), "litellm_params": {"model": f"openai/{model}", **there}} for model in MODELS],
            "general_settings": {"master_key": KEY},
            "litellm_settings": {"telemetry": False, "num_retries": 0},
        }
        command = [str(self.installed / "bin" / "litellm"), "--config", self.written("litellm.json", json.dumps(configuration))]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--num_workers", "1", "--telemetry", "False"]
        return command, {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}


ALL = {"crabllm": Crabllm, "tensorzero": TensorZero, "portkey": Portkey, "litellm": LiteLlm}
