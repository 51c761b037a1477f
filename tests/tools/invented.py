#!/usr/bin/env python3
"""Turns the rulers red: in a copy of each SDK somebody has invented a parameter or a count, and every one of them must be named.

Usage: invented.py CHECK_CONFIG
"""

import gzip
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent

# A file of an SDK, the line in it behind which something new stands, and that.
INVENTED = [
    ("openai/types/chat/completion_create_params.py", "class CompletionCreateParamsBase(TypedDict, total=False):", "    new_in_chat: int"),
    ("openai/types/chat/completion_create_params.py", "class WebSearchOptions(TypedDict, total=False):", "    new_in_search: int"),
    ("openai/types/responses/tool_param.py", "class ImageGeneration(TypedDict, total=False):", "    new_model: str"),
    ("openai/types/completion_usage.py", "class CompletionUsage(BaseModel):", "    new_chat_tokens: int = 0"),
    ("anthropic/types/message_create_params.py", "class MessageCreateParamsBase(TypedDict, total=False):", "    new_in_messages: int"),
    ("anthropic/types/beta/beta_web_search_tool_20260318_param.py", "class BetaWebSearchTool20260318Param(TypedDict, total=False):", "    new_in_tool: int"),
    ("anthropic/types/anthropic_beta_param.py", "    Literal[", '        "new-beta-2027-01-01",'),
    ("anthropic/types/usage.py", "class Usage(BaseModel):", "    new_message_tokens: int = 0"),
    ("google/genai/types.py", "class GenerateContentConfig(_common.BaseModel):", "  new_in_config: Optional[int] = None"),
    ("google/genai/types.py", "class Part(_common.BaseModel):", "  new_in_part: Optional[int] = None"),
    ("google/genai/types.py", "class Tool(_common.BaseModel):", "  new_search: Optional[int] = None"),
    ("cohere/types/usage.py", "class Usage(UncheckedBaseModel):", "    new_cohere_tokens: typing.Optional[float] = None"),
    ("cohere/types/response_format_v2.py", "class JsonObjectResponseFormatV2(UncheckedBaseModel):", "    new_in_format: typing.Optional[int] = None"),
    ("mistralai/client/models/chatcompletionrequest.py", "class ChatCompletionRequest(BaseModel):", "    new_in_mistral: Optional[int] = None"),
    ("ollama/_types.py", "class Options(SubscriptableBaseModel):", "  new_option: Optional[int] = None"),
]
NAMES = ["new_in_chat", "new_in_search", "tools.new_model", "new_chat_tokens", "new_in_messages", "new-beta", "new_in_tool", "new_message_tokens"]
NAMES += ["newInConfig", "newInPart", "newSearch", "new_cohere_tokens", "new_in_format", "new_in_mistral", "new_option", "newAtAws"]


def copied(package, into):
    """The package as it is, where a file may be written over."""
    found = importlib.util.find_spec(package)
    shutil.copytree(found.submodule_search_locations[0], into / package.replace(".", "/"), ignore=shutil.ignore_patterns("__pycache__"))


def main(check_config):
    with tempfile.TemporaryDirectory() as folder:
        into = pathlib.Path(folder)
        for package in ("openai", "anthropic", "google.genai", "cohere", "mistralai", "ollama"):
            copied(package, into)
        for name, line, new in INVENTED:
            file = into / name
            text = file.read_text()
            assert text.count(line + "\n") == 1, f"{name} has no line `{line}`, or more than one"
            file.write_text(text.replace(line + "\n", f"{line}\n{new}\n"))
        # The service's model is data: what is found first counts.
        services = pathlib.Path(importlib.util.find_spec("botocore").submodule_search_locations[0]) / "data/bedrock-runtime"
        (version,) = [path for path in services.iterdir() if path.is_dir()]
        (model,) = version.glob("service-2.json*")
        opened = gzip.open(model, "rt") if model.suffix == ".gz" else model.open()
        with opened as file:
            service = json.load(file)
        service["shapes"]["ConverseRequest"]["members"]["newAtAws"] = {"shape": "String"}
        at_aws = into / "aws/bedrock-runtime" / version.name
        shutil.copytree(version, at_aws)
        for old in at_aws.glob("service-2.json*"):
            old.unlink()
        (at_aws / "service-2.json").write_text(json.dumps(service))

        around = os.environ | {"PYTHONPATH": str(into), "AWS_DATA_PATH": str(into / "aws"), "PYTHONDONTWRITEBYTECODE": "1"}
        said = ""
        for ruler in ("shapes.py", "parameters.py"):
            ran = subprocess.run([sys.executable, HERE / ruler, check_config], env=around, capture_output=True, text=True)
            said += ran.stdout + ran.stderr
            assert ran.returncode == 1, f"{ruler} is green: {ran.stdout}{ran.stderr}"
    passed = [name for name in NAMES if name not in said]
    print("\n".join(f"`{name}` was invented, and no ruler names it" for name in passed) or f"{len(NAMES)} invented fields of seven SDKs: each is named")
    if passed:
        print(said[-3000:])
    return bool(passed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
