"""What the official SDKs make of answers that call what may not be called."""

import sys

import anthropic
import openai

BASE = sys.argv[1]
TENANT = {"x-tenant-id": "calling"}


def raises(kind, ask, what):
    try:
        got = ask()
    except kind as error:
        assert "tool_not_allowed" in str(error) or "may use" in str(error), f"{what}: {error}"
    else:
        raise AssertionError(f"{what}: {got!r}")


def openai_cases():
    client = openai.OpenAI(base_url=f"{BASE}/v1", api_key="unused", default_headers=TENANT, max_retries=0)
    ask = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Go."}], "metadata": {"test": "o", "call": "delete_user"}}
    raises(openai.BadRequestError, lambda: client.chat.completions.create(**ask), "openai")
    stream = client.chat.completions.create(**ask, stream=True)
    said = []
    raises(openai.APIError, lambda: said.extend(event for event in stream), "openai, a stream")
    assert "".join(event.choices[0].delta.content or "" for event in said) == "I look.", said


def anthropic_cases():
    client = anthropic.Anthropic(base_url=BASE, api_key="unused", default_headers=TENANT, max_retries=0)
    tools = [{"name": "write", "description": "Writes.", "input_schema": {"type": "object"}}]
    ask = {"model": "claude-sonnet-4", "max_tokens": 64, "messages": [{"role": "user", "content": "Go."}], "tools": tools}
    raises(anthropic.BadRequestError, lambda: client.messages.create(**ask), "anthropic")

    def stream():
        with client.messages.stream(**ask) as events:
            for event in events:
                block = getattr(event, "content_block", None)
                assert block is None or block.type == "text", event

    raises(anthropic.APIStatusError, stream, "anthropic, a stream")


openai_cases()
anthropic_cases()
print("cases hold")
