"""What the official SDKs make of answers that say what a rule refuses."""

import sys

import anthropic
import boto3
import botocore.config
import botocore.exceptions
import openai

BASE = sys.argv[1]
SAID = "I have DE89 3704 0044 0532 0130 00."
BEFORE = f"You said: {SAID} Mail "
TENANT = {"x-tenant-id": "answering"}


def raises(kind, ask, what):
    try:
        got = ask()
    except kind as error:
        assert "a rule of this gateway, `answering`" in str(error), f"{what}: {error}"
        assert "support" not in str(error), f"{what}: {error}"
    else:
        raise AssertionError(f"{what}: {got!r}")


def openai_cases():
    client = openai.OpenAI(base_url=f"{BASE}/v1", api_key="unused", default_headers=TENANT, max_retries=0)
    ask = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": SAID}]}
    raises(openai.BadRequestError, lambda: client.chat.completions.create(**ask), "openai")
    stream = client.chat.completions.create(**ask, stream=True)
    said = []
    raises(openai.APIError, lambda: said.extend(event for event in stream), "openai, a stream")
    said = "".join(event.choices[0].delta.content or "" for event in said if event.choices)
    assert said == BEFORE, said


def anthropic_cases():
    client = anthropic.Anthropic(base_url=BASE, api_key="unused", default_headers=TENANT, max_retries=0)
    ask = {"model": "claude-sonnet-4", "max_tokens": 64, "messages": [{"role": "user", "content": SAID}]}
    raises(anthropic.BadRequestError, lambda: client.messages.create(**ask), "anthropic")
    tools = [{"name": "write", "description": "Writes.", "input_schema": {"type": "object"}}]
    raises(anthropic.BadRequestError, lambda: client.messages.create(**ask, tools=tools), "anthropic, a tool")
    said = []

    def stream():
        with client.messages.stream(**ask) as events:
            said.extend(event.text for event in events if event.type == "text")

    raises(anthropic.APIStatusError, stream, "anthropic, a stream")
    assert "".join(said) == BEFORE, said


def bedrock():
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=BASE,
        region_name="us-east-1",
        aws_access_key_id="unused",
        aws_secret_access_key="unused",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )
    client.meta.events.register("before-call.bedrock-runtime", lambda params, **_: params["headers"].update(TENANT))
    messages = [{"role": "user", "content": [{"text": SAID}]}]
    return client, {"modelId": "amazon.nova-lite-v1:0", "messages": messages, "inferenceConfig": {"maxTokens": 64}}


def text(event):
    return event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")


def bedrock_cases():
    client, ask = bedrock()
    raises(botocore.exceptions.ClientError, lambda: client.converse(**ask), "bedrock")
    stream = client.converse_stream(**ask)["stream"]
    said = []
    raises(botocore.exceptions.EventStreamError, lambda: said.extend(text(event) for event in stream), "bedrock, a stream")
    assert "".join(said) == BEFORE, said


openai_cases()
anthropic_cases()
bedrock_cases()
print("cases hold")
