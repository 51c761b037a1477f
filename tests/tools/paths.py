#!/usr/bin/env python3
"""Holds the table of paths against those that the official SDKs post to: each is metered, costs nothing, or belongs to a family that the
shipped routes answer 404 for, which is named here with the reason.

Usage: paths.py CHECK_CONFIG
"""

import json
import pathlib
import re
import subprocess
import sys

import anthropic
import botocore.session
import cohere
import google.genai
import mistralai.client
import ollama
import openai

# How the sources of each SDK name a path, and what stands before it on the wire.
POSTED = [
    (openai, r'self\._post\(\s*(?:path_template\(\s*)?f?"([^"]+)"', "/v1"),
    (anthropic, r'self\._post\(\s*(?:path_template\(\s*)?f?"([^"]+)"', ""),
    (cohere, r'f?"(v\d/[^"]+)",[^()]{0,80}method="POST"', "/"),
    (mistralai.client, r'method="POST",\s*path="([^"]+)"', ""),
    (ollama, r"'POST',\s*'(/[^']+)'", ""),
    (google.genai, r"path = '([^']+)'", "/v1beta/"),
]

ACCOUNT = "the operator's account itself, by keys that the gateway doesn't have"
STORED = "what is kept at the provider, in the operator's one account"
WORK = "work that goes on without its client, or between providers"
LIVE = "sound or sessions that no body holds"
OTHER = "of APIs that the gateway doesn't meter"
FREE = "costs nothing"
BATCH = "batches: their results come past the gateway"

# The beginning of a path, without its version, and why nobody serves what is below.
NOT_SERVED = {
    "agents": WORK, "assistants": WORK, "threads": WORK, "sessions": WORK, "deployments": WORK, "dreams": WORK, "environments": WORK,
    "workflows": WORK, "conversations": WORK, "decisions": WORK, "chatkit": WORK, "triggers": WORK, "systemone": WORK, "async-invoke": WORK,
    "organization": ACCOUNT, "organizations": ACCOUNT, "projects": ACCOUNT, "webhook_endpoints": ACCOUNT, "webhooks": ACCOUNT,
    "service-accounts": ACCOUNT, "tunnels": ACCOUNT, "user_profiles": ACCOUNT, "connectors": ACCOUNT, "client": ACCOUNT, "auth_tokens": ACCOUNT,
    "files": STORED, "uploads": STORED, "upload": STORED, "vector_stores": STORED, "containers": STORED, "skills": STORED, "vaults": STORED,
    "memory_stores": STORED, "libraries": STORED, "prompts": STORED, "cachedContents": STORED, "fileSearchStores": STORED, "datasets": STORED,
    "context": STORED, "operations": STORED, "tunedModels": STORED, "audio/voice": STORED,
    "batches": BATCH, "batch": BATCH, "messages/batches": BATCH, "embed-jobs": BATCH, "batchPredictionJobs": BATCH,
    "fine_tuning": OTHER, "finetuning": OTHER, "tuningJobs": OTHER, "evals": OTHER, "observability": OTHER, "videos": OTHER, "ocr": OTHER,
    "content_provenance_checks": OTHER, "classify": OTHER, "classifications": OTHER, "chat/classifications": OTHER, "generate": OTHER,
    "summarize": OTHER, "parse": OTHER, "guardrail": OTHER, "guardrail-checks": OTHER,
    "realtime": LIVE, "live": LIVE, "audio/agents": LIVE, "audio/sessions": LIVE,
    "moderations": FREE, "chat/moderations": FREE, "tokenize": FREE, "detokenize": FREE, "check-api-key": FREE,
}  # fmt: skip
# Of Google's and of others, what follows a model or stands by itself.
VERBS = {
    "asyncBatchEmbedContent": BATCH, "batchGenerateContent": BATCH, "predictLongRunning": OTHER, "fetchPredictOperation": OTHER,
    "computeTokens": FREE, "cancel": WORK, "importFile": STORED, "validateReinforcementTuningReward": OTHER,
    "count-tokens": FREE, "invoke-with-bidirectional-stream": LIVE,
    # Ollama's: the server's own models.
    "/api/copy": ACCOUNT, "/api/create": ACCOUNT, "/api/pull": ACCOUNT, "/api/push": ACCOUNT, "/api/show": FREE,
}  # fmt: skip
# No path of a request: a test's, or one that is filled in as a whole.
NONE = {"test/path", "*", "*/documents", "v1beta/models", "/v1beta/models"}


def posted():
    for sdk, pattern, before in POSTED:
        for source in pathlib.Path(sdk.__file__).parent.rglob("*.py"):
            for path in re.findall(pattern, source.read_text(), re.S):
                path = re.sub(r"[?#].*", "", re.sub(r"\{[^}]*\}", "*", path))
                if path not in NONE:
                    yield sdk.__name__, before + (f"models/x{path[1:]}" if path.startswith("*:") else path)
    bedrock = botocore.session.get_session().get_service_model("bedrock-runtime")
    for name in bedrock.operation_names:
        http = bedrock.operation_model(name).http
        if http["method"] == "POST":
            yield "bedrock-runtime", re.sub(r"\{[^}]*\}", "x", http["requestUri"])


def as_regex(pattern):
    parts = {"**/": "(.*/)?", "{model}": ".+", "*": "[^/]+"}
    text = "".join(parts.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\{model\}|\*)", pattern))
    return re.compile("/?" + text.lstrip("/"))


def main(check_config):
    tables = json.loads(subprocess.run([check_config, "--tables"], check=True, capture_output=True, text=True).stdout)
    known = [as_regex(pattern) for pattern in tables["paths"]]
    used, wrong, seen = set(), set(), set()
    for who, path in posted():
        seen.add((who, path))
        if any(pattern.fullmatch(path) for pattern in known):
            continue
        bare = re.sub(r"^/(v\d(beta)?/)?", "", path)
        family = next((name for name in sorted(NOT_SERVED, key=len, reverse=True) if f"{bare}/".startswith(name)), None)
        verb = next((name for name in VERBS if path.endswith((f":{name}", f"/{name}", name if name.startswith("/") else "\n"))), None)
        used.update({family, verb})
        if not (family or verb):
            wrong.add(f"{who} posts to `{path}`, which is in no table of src/llm/path.rs, and is left out for no reason")
    wrong.update(f"paths.py: no SDK posts to `{name}`; take it out" for name in [*NOT_SERVED, *VERBS] if name not in used)
    print("\n".join(sorted(wrong)) or f"{len(seen)} paths of seven SDKs: each is known, or not served for a reason")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
