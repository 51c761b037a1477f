"""What the official SDKs make of answers that say what a rule refuses."""

import sys

import anthropic
import botocore.exceptions
import openai

import bedrock

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


def bedrock_cases():
    client, ask = bedrock.client(BASE, TENANT), bedrock.asked(SAID, 64)
    raises(botocore.exceptions.ClientError, lambda: client.converse(**ask), "bedrock")
    stream = client.converse_stream(**ask)["stream"]
    said = []
    raises(botocore.exceptions.EventStreamError, lambda: said.extend(bedrock.said(event) for event in stream), "bedrock, a stream")
    assert "".join(said) == BEFORE, said


openai_cases()
anthropic_cases()
bedrock_cases()
print("cases hold")
