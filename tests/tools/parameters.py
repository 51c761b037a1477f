#!/usr/bin/env python3
"""Holds the tables of the requests against what the official SDKs can send: a parameter that no table knows spends what nobody reserves.

Usage: parameters.py CHECK_CONFIG [--write]

Each parameter, at the top and however deep, each kind of tool and each path is in a table of its API, or in parameters.json with the
reason why it needs no class. A newer SDK with another one is an error that names it. `--write` adds what is missing there, with no
reason, which is an error by itself.
"""

import collections.abc
import enum
import inspect
import itertools
import json
import pathlib
import re
import subprocess
import sys
import types
import typing

import botocore.session
import cohere.base_client
import cohere.v2.client
import google.genai.types as google
import mistralai.client.models as mistral
import ollama._types as ollama
import pydantic
import pydantic.alias_generators
import typing_extensions
from anthropic.types import anthropic_beta_param
from anthropic.types import message_create_params as messages
from anthropic.types.beta import message_create_params as beta_messages
from google.genai._gaos.types.interactions import createagentinteraction, createmodelinteraction
from openai.types import completion_create_params as completions
from openai.types import embedding_create_params as embeddings
from openai.types import image_create_variation_params, image_edit_params, image_generate_params
from openai.types.audio import speech_create_params, transcription_create_params, translation_create_params
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_compact_params, response_create_params

LISTED = pathlib.Path(__file__).with_name("parameters.json")

# What is sent, the API that reads it, and where in the body it stands.
SENT = [
    (chat.CompletionCreateParamsBase, "openai_chat", ""),
    (completions.CompletionCreateParamsBase, "openai_completions", ""),
    (response_create_params.ResponseCreateParamsBase, "openai_responses", ""),
    (response_compact_params.ResponseCompactParams, "openai_responses", ""),
    (embeddings.EmbeddingCreateParams, "openai_embeddings", ""),
    (image_generate_params.ImageGenerateParamsBase, "openai_images", ""),
    (image_edit_params.ImageEditParamsBase, "openai_images", ""),
    (image_create_variation_params.ImageCreateVariationParams, "openai_images", ""),
    (speech_create_params.SpeechCreateParams, "openai_audio", ""),
    (transcription_create_params.TranscriptionCreateParamsBase, "openai_audio", ""),
    (translation_create_params.TranslationCreateParams, "openai_audio", ""),
    (messages.MessageCreateParamsBase, "anthropic_messages", ""),
    (beta_messages.MessageCreateParamsBase, "anthropic_messages", ""),
    (google.GenerateContentConfig, "gemini_generate", ""),
    (google.GenerationConfig, "gemini_generate", "generationConfig"),
    (google.Content, "gemini_generate", "contents"),
    (google.EmbedContentConfig, "gemini_embed", "embedContentConfig"),
    (google.Content, "gemini_embed", "content"),
    (createmodelinteraction.CreateModelInteractionParam, "gemini_interactions", ""),
    (createagentinteraction.CreateAgentInteractionParam, "gemini_interactions", ""),
    (mistral.ChatCompletionRequest, "openai_chat", ""),
    (mistral.FIMCompletionRequest, "openai_completions", ""),
    (mistral.CreateResponseRequest, "openai_responses", ""),
    (mistral.EmbeddingRequest, "openai_embeddings", ""),
    (mistral.AudioTranscriptionRequest, "openai_audio", ""),
    (mistral.SpeechRequest, "openai_audio", ""),
    (cohere.v2.client.V2Client.chat, "cohere_chat", ""),
    (cohere.v2.client.V2Client.chat_stream, "cohere_chat", ""),
    (cohere.base_client.BaseCohere.chat_stream, "cohere_chat", ""),
    (cohere.v2.client.V2Client.embed, "cohere_embed", ""),
    (cohere.base_client.BaseCohere.embed, "cohere_embed", ""),
    (cohere.v2.client.V2Client.rerank, "rerank", ""),
    (cohere.base_client.BaseCohere.rerank, "rerank", ""),
    (ollama.ChatRequest, "ollama_chat", ""),
    (ollama.GenerateRequest, "ollama_generate", ""),
    (ollama.EmbedRequest, "ollama_embed", ""),
]
OPERATIONS = [("ConverseRequest", "bedrock_converse"), ("ConverseStreamRequest", "bedrock_converse")]
# A packet of Google's SDK has all of these beside its contents; on the wire they stand one level deeper.
WITHIN = {"gemini_generate": "generationConfig"}
# By which of its members a list of tools names their kinds.
KINDS = {"gemini_generate": "gemini", "gemini_interactions": "gemini"}
BY_MEMBER = [(google.Tool, "gemini_generate")]
# What names another model, another's file, or a place elsewhere is listed where it stands; all else once for all that is below a field.
SPEAKS_OF_ANOTHER = re.compile(r"model|file|ur[il]s?$|_ids?$|Ids?$", re.IGNORECASE)
VERSION = re.compile(r"_\d{4}_?\d{2}_?\d{2}$")


def bare(annotation):
    """Without what is said about it."""
    around = {typing.Required, typing.NotRequired, typing_extensions.Required, typing_extensions.NotRequired}
    while True:
        origin = typing.get_origin(annotation)
        if origin in around or origin is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing_extensions.TypeAliasType):
            annotation = annotation.__value__
        else:
            return annotation


def parts(annotation):
    """What a type may be: unions and lists taken apart."""
    annotation = bare(annotation)
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    is_list = isinstance(origin, type) and issubclass(origin, collections.abc.Iterable) and not issubclass(origin, collections.abc.Mapping)
    if origin in (typing.Union, types.UnionType) or is_list:
        for one in inner:
            yield from parts(one)
    else:
        yield annotation


def alias(annotation, name):
    """What a member is called on the wire, where that is written beside its type."""
    while typing.get_origin(annotation) in (typing.Required, typing_extensions.Required):
        annotation = typing.get_args(annotation)[0]
    said = typing.get_args(annotation)[1:] if typing.get_origin(annotation) is typing.Annotated else ()
    return next((about.alias for about in said if getattr(about, "alias", None)), name)


def members(kind):
    """The name of each member on the wire, and its type; nothing for what has none."""
    if typing_extensions.is_typeddict(kind):
        for name, annotation in typing.get_type_hints(kind, include_extras=True).items():
            yield alias(annotation, name), annotation
    elif isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
        camel = kind.__module__.startswith("google.genai.types")
        for name, field in kind.model_fields.items():
            yield field.alias or (pydantic.alias_generators.to_camel(name) if camel else name), field.annotation
    elif inspect.isfunction(kind):
        hints = typing.get_type_hints(kind)
        for name in inspect.signature(kind).parameters:
            if name not in ("self", "request_options"):
                yield name, hints[name]


def walked(kind, place, around=()):
    """The path of each parameter, and what words it may be."""
    for name, annotation in members(kind):
        path = f"{place}.{name}" if place else name
        inner = list(parts(annotation))
        yield path, {str(word) for one in inner if typing.get_origin(one) is typing.Literal for word in typing.get_args(one)}
        for one in inner:
            if one not in around and one is not kind and any(True for _ in members(one)):
                yield from walked(one, path, (*around, kind))


def members_at_aws(shape, place, around=()):
    for name, member in shape.members.items():
        if member.serialization.get("location"):
            continue
        path = f"{place}.{name}" if place else name
        yield path, set()
        while member.type_name in ("list", "map"):
            member = member.member if member.type_name == "list" else member.value
        if member.type_name == "structure" and member.name not in around:
            yield from members_at_aws(member, path, (*around, member.name))


def sent():
    """Who sends what by which API: its path and what words it may be."""
    for kind, api, place in SENT:
        for path, words in walked(kind, place):
            yield f"{kind.__module__}.{kind.__qualname__}", api, path, words
    for kind, api in BY_MEMBER:
        for name, _ in members(kind):
            yield f"{kind.__module__}.{kind.__qualname__}", api, "tools.type", {name}
    bedrock = botocore.session.get_session().get_service_model("bedrock-runtime")
    for name, api in OPERATIONS:
        for path, words in members_at_aws(bedrock.shape_for(name), ""):
            yield f"bedrock-runtime's {name}", api, path, words


class Ruler:
    """What is known, what is listed, and what of the list was found."""

    def __init__(self, tables, listed):
        self.tables, self.listed = tables, listed
        self.wrong, self.used, self.missing, self.seen = set(), set(), {}, 0

    def is_known(self, api, path):
        """In a table, there or where the wire has it."""
        table = self.tables["apis"][api]["request"]
        return path in table or f"{WITHIN.get(api)}.{path}" in table

    def is_cache(self, path):
        name = path.rpartition(".")[2].lower()
        return any(name.startswith(known) for known in self.tables["anywhere"])

    def hold(self, who, api, path, words):
        self.seen += 1
        if re.search(r"(^|\.)(tools|definition)\.type$", path) and (path == "tools.type" or self.is_known(api, path)):
            self.hold_kinds(who, api, words)
            if path not in self.tables["apis"][api]["request"]:
                return
        if self.is_known(api, path) or self.is_cache(path):
            return
        above, _, name = path.rpartition(".")
        places = [above] if SPEAKS_OF_ANOTHER.search(name) else itertools.accumulate(above.split("."), "{}.{}".format)
        for place in places:
            if name in self.listed.get(api, {}).get(place, {}).get("names", ()):
                self.used.add((api, place, name))
                return
        self.wrong.add(f"{api}: `{path}` of {who} is in no table of src/llm/schema, and in parameters.json for no reason")
        place = above if SPEAKS_OF_ANOTHER.search(name) else above.partition(".")[0]
        self.missing.setdefault((api, place), set()).add(name)

    def hold_kinds(self, who, api, words):
        known = {kind.replace("_", "").lower() for kind in self.tables["tools"][KINDS.get(api, "")]}
        for word in words:
            self.seen += 1
            if VERSION.sub("", word).replace("_", "").lower() not in known and word.replace("_", "").lower() not in known:
                self.wrong.add(f"{api}: a tool of the kind `{word}` of {who} is in no table of src/llm/tools.rs")

    def hold_betas(self, flags):
        for flag in flags:
            self.seen += 1
            if re.sub(r"-\d{4}-\d{2}-\d{2}$", "", flag) not in self.tables["betas"]:
                self.wrong.add(f"anthropic-beta: `{flag}` is in no table of src/forward/betas.rs")

    def of_list(self):
        """The list is no longer than it must be, and has reasons."""
        for api, places in self.listed.items():
            for place, row in places.items():
                if not row.get("why"):
                    self.wrong.add(f"parameters.json, {api}: `{place}` has no reason")
                for name in row["names"]:
                    if (api, place, name) not in self.used:
                        self.wrong.add(f"parameters.json, {api}: no SDK has `{name}` below `{place}`; take it out")


def main(check_config, write=None):
    tables = json.loads(subprocess.run([check_config, "--tables"], check=True, capture_output=True, text=True).stdout)
    listed = json.loads(LISTED.read_text()) if LISTED.exists() else {}
    for row in (row for places in listed.values() for row in places.values()):
        row["names"] = row["names"].split()
    ruler = Ruler(tables, listed)
    for who, api, path, words in sent():
        ruler.hold(who, api, path, words)
    flags = [kind for kind in parts(anthropic_beta_param.AnthropicBetaParam) if typing.get_origin(kind) is typing.Literal]
    ruler.hold_betas(flag for kind in flags for flag in typing.get_args(kind))
    ruler.of_list()
    if write:
        for (api, place), names in ruler.missing.items():
            row = listed.setdefault(api, {}).setdefault(place, {"why": "", "names": []})
            row["names"] += sorted(names)
        for row in (row for places in listed.values() for row in places.values()):
            row["names"] = " ".join(sorted(row["names"]))
        LISTED.write_text(json.dumps(listed, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    apis = {api for _, api, _ in SENT} | {api for _, api in OPERATIONS}
    print("\n".join(sorted(ruler.wrong)) or f"{ruler.seen} parameters of {len(apis)} APIs: each has a class, or a reason to need none")
    return bool(ruler.wrong)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
