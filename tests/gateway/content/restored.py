"""What the official SDKs make of answers whose placeholders became the client's own words again."""

import sys

import anthropic
import openai

import bedrock

BASE = sys.argv[1]
SAID = 'I am jo.doe@example.org, or "jo.doe@example.org".'
ANSWER = f"You said: {SAID} Mail support@example.com, please."
TENANT = {"x-tenant-id": "restoring"}


def same(got, what):
    assert got == ANSWER, f"{what}: {got!r}"


def openai_cases():
    client = openai.OpenAI(base_url=f"{BASE}/v1", api_key="unused", default_headers=TENANT, max_retries=0)
    ask = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": SAID}]}
    answer = client.chat.completions.create(**ask, metadata={"test": "openai"})
    same(answer.choices[0].message.content, "openai")
    stream = client.chat.completions.create(**ask, metadata={"test": "openai-stream"}, stream=True)
    same("".join(event.choices[0].delta.content or "" for event in stream if event.choices), "openai, a stream")


def anthropic_cases():
    client = anthropic.Anthropic(base_url=BASE, api_key="unused", default_headers=TENANT, max_retries=0)
    ask = {"model": "claude-sonnet-4", "max_tokens": 64, "messages": [{"role": "user", "content": SAID}]}
    answer = client.messages.create(**ask, metadata={"user_id": "anthropic"})
    same(answer.content[0].text, "anthropic")
    tools = [{"name": "write", "description": "Writes.", "input_schema": {"type": "object"}}]
    answer = client.messages.create(**ask, metadata={"user_id": "anthropic-tool"}, tools=tools)
    same(answer.content[0].input["to"], "anthropic, a tool")
    with client.messages.stream(**ask, metadata={"user_id": "anthropic-stream"}) as stream:
        same("".join(stream.text_stream), "anthropic, a stream")
        same(stream.get_final_message().content[1].input["to"], "anthropic, a tool in a stream")


def bedrock_cases():
    client, ask = bedrock.client(BASE, TENANT), bedrock.asked(SAID, 64)
    same(client.converse(**ask)["output"]["message"]["content"][0]["text"], "bedrock")
    stream = client.converse_stream(**ask)["stream"]
    same("".join(bedrock.said(event) for event in stream), "bedrock, a stream")


openai_cases()
anthropic_cases()
bedrock_cases()
print("cases hold")
