#!/usr/bin/env python3
"""Holds the tables of the APIs against the types of the official SDKs: a count that no table knows is a bill that nobody sees.

Usage: shapes.py CHECK_CONFIG

Every field of a usage that is a number, an object or a list must be in a table of its API, or in IGNORED with the reason.
A newer SDK with another field is an error that names it.
"""

import datetime
import enum
import json
import subprocess
import sys
import types
import typing

import anthropic.types as anthropic
import anthropic.types.beta as anthropic_beta
import botocore.session
import cohere.types as cohere
import google.genai.types as google
import mistralai.client.models as mistral
import ollama
import openai.types as openai
import openai.types.audio as openai_audio
import openai.types.responses as openai_responses
import pydantic
import pydantic.alias_generators
from google.genai._gaos.types.interactions import usage as google_interactions

# The type of a usage, the API whose answers have it, and where it stands there.
USAGES = [
    (openai.CompletionUsage, "openai_chat", "usage"),
    (openai_responses.ResponseUsage, "openai_responses", "usage"),
    (openai.create_embedding_response.Usage, "openai_embeddings", "usage"),
    (openai.images_response.Usage, "openai_images", "usage"),
    (openai_audio.transcription.UsageTokens, "openai_audio", "usage"),
    (openai_audio.transcription.UsageDuration, "openai_audio", "usage"),
    (anthropic.Usage, "anthropic_messages", "usage"),
    (anthropic.MessageDeltaUsage, "anthropic_messages", "usage"),
    (anthropic_beta.BetaUsage, "anthropic_messages", "usage"),
    (anthropic_beta.BetaMessageDeltaUsage, "anthropic_messages", "usage"),
    (google.GenerateContentResponseUsageMetadata, "gemini_generate", "usageMetadata"),
    (google_interactions.Usage, "gemini_interactions", "usage"),
    (mistral.UsageInfo, "openai_chat", "usage"),
    (cohere.Usage, "cohere_chat", "usage"),
    (ollama.ChatResponse, "ollama_chat", ""),
    (ollama.GenerateResponse, "ollama_generate", ""),
    (ollama.EmbedResponse, "ollama_embed", ""),
]

TEXT = "the rest of a side, which the plain rate is for"
PREDICTION = "a part of the completion, at its rate"
TIME = "a time, which nobody bills"
CACHED = "what was cached has one rate, whatever it was"
OLLAMA = {name: TIME for name in ("eval_duration", "load_duration", "prompt_eval_duration", "total_duration")}
LOGPROBS = {name: "how likely a token was" for name in ("logprobs.logprob", "logprobs.top_logprobs.logprob")}
IGNORED = {
    "openai_chat": {
        "usage.completion_tokens_details.accepted_prediction_tokens": PREDICTION,
        "usage.completion_tokens_details.rejected_prediction_tokens": PREDICTION,
        "usage.completion_tokens_details.text_tokens": TEXT,
        "usage.prompt_tokens_details.text_tokens": TEXT,
    },
    "openai_audio": {"usage.input_token_details.text_tokens": TEXT},
    "openai_images": {
        "usage.input_tokens_details.text_tokens": TEXT,
        "usage.output_tokens_details.text_tokens": TEXT,
    },
    "anthropic_messages": {"usage.server_tool_use.web_fetch_requests": "costs the tokens that it brings, and no more"},
    "gemini_generate": {
        "usageMetadata.cacheTokensDetails.tokenCount": CACHED,
        "usageMetadata.toolUsePromptTokensDetails.tokenCount": "what tools brought is text to the model",
    },
    "gemini_interactions": {
        "usage.cached_tokens_by_modality.tokens": CACHED,
        "usage.initial_input_tokens": "a part of the input",
        "usage.tool_use_tokens_by_modality.tokens": "what tools brought is text to the model",
    },
    "cohere_chat": {"usage.billed_units.classifications": "of another API"},
    "ollama_chat": OLLAMA | LOGPROBS,
    "ollama_generate": OLLAMA | LOGPROBS | {
        "context": "the conversation, as numbers",
        "completed": "of a download",
        "total": "of a download",
    },
    "ollama_embed": OLLAMA | {"embeddings": "what was asked for"},
}


def is_model(kind):
    return isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)


def parts(annotation):
    """What a type may be: unions, lists and annotations taken apart."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from parts(arguments[0])
    elif origin in (typing.Union, types.UnionType, list, typing.Sequence) or str(origin) == "<class 'collections.abc.Sequence'>":
        for argument in arguments:
            yield from parts(argument)
    else:
        yield annotation


def fields(model, place, camel):
    """The paths of what counts, or leads to what does."""
    for name, field in model.model_fields.items():
        name = field.alias or (pydantic.alias_generators.to_camel(name) if camel else name)
        path = f"{place}.{name}" if place else name
        kinds = list(parts(field.annotation))
        inner = [kind for kind in kinds if is_model(kind)]
        numbers = any(kind in (int, float) for kind in kinds)
        if numbers:
            yield path
        for kind in inner:
            yield from fields(kind, path, camel)


def members(shape, place):
    for name, member in shape.members.items():
        path = f"{place}.{name}"
        member = member.member if member.type_name == "list" else member
        if member.type_name == "structure":
            yield from members(member, path)
        elif member.type_name in ("integer", "long", "float", "double"):
            yield path


def main(check_config):
    tables = json.loads(subprocess.run([check_config, "--tables"], check=True, capture_output=True, text=True).stdout)["apis"]
    wrong, seen, used = [], 0, set()

    def hold(api, kind, paths):
        nonlocal seen
        known = {*tables[api]["answer"], *tables[api]["event"]}
        ignored = IGNORED.get(api, {})
        for path in paths:
            seen += 1
            if path in ignored:
                used.add((api, path))
            elif path not in known:
                wrong.append(f"{api}: `{path}` of {kind} is in no table of src/llm/schema, and ignored for no reason")

    for model, api, place in USAGES:
        hold(api, f"{model.__module__}.{model.__name__}", fields(model, place, model.__module__.startswith("google.genai.types")))
    bedrock = botocore.session.get_session().get_service_model("bedrock-runtime")
    hold("bedrock_converse", "TokenUsage", members(bedrock.shape_for("TokenUsage"), "usage"))
    for api, paths in IGNORED.items():
        wrong.extend(f"{api}: no SDK has `{path}`; take it out of IGNORED" for path in paths if (api, path) not in used)
    print("\n".join(sorted(set(wrong))) or f"{seen} counts of {len(USAGES) + 1} types: each is in a table, or ignored for a reason")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
