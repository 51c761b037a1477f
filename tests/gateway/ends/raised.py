"""What the official SDKs raise in the middle of a stream that the gateway ends, and that they had the beginning of it."""

import sys

import anthropic
import botocore.exceptions
import ollama
import openai
from google import genai
from google.genai import errors, types

import bedrock

BASE, KNOBS = sys.argv[1:]
SAID = [{"role": "user", "content": "What does a gateway settle?"}]


def headers(tenant):
    return {"x-tenant-id": tenant, "x-sim": KNOBS}


def ended(kind, stream, text, what):
    """The error that ends the stream, behind some text of it."""
    seen = 0
    try:
        for event in stream:
            seen += len(text(event) or "")
    except kind as error:
        assert seen > 100, f"{what}: {seen} characters"
        return error
    raise AssertionError(f"{what}: nothing was raised")


def openai_cases():
    client = openai.OpenAI(base_url=f"{BASE}/v1", api_key="unused", default_headers=headers("openai"), max_retries=2)
    stream = client.chat.completions.create(model="gpt-4o-mini", messages=SAID, max_tokens=16, stream=True)
    error = ended(openai.APIError, stream, lambda event: event.choices and event.choices[0].delta.content, "chat")
    assert (type(error), error.code) == (openai.APIError, "budget_exhausted"), repr(error)
    assert "was ended here" in error.message and error.body["detail"]["guard"] == "request_usd", error.body
    client = client.with_options(default_headers=headers("responses"))
    stream = client.responses.create(model="gpt-4o-mini", input="What does a gateway settle?", max_output_tokens=16, stream=True)
    error = ended(openai.APIError, stream, lambda event: getattr(event, "delta", ""), "responses")
    assert (type(error), error.code) == (openai.APIError, "budget_exhausted"), repr(error)


def anthropic_case():
    client = anthropic.Anthropic(base_url=BASE, api_key="unused", default_headers=headers("anthropic"), max_retries=2)
    stream = client.messages.create(model="claude-sonnet-4", max_tokens=16, messages=SAID, stream=True)
    text = lambda event: event.delta.text if event.type == "content_block_delta" else ""  # noqa: E731
    error = ended(anthropic.APIStatusError, stream, text, "messages")
    told = error.body["error"]
    assert (told["type"], told["code"]) == ("billing_error", "budget_exhausted"), error.body
    with client.messages.stream(model="claude-sonnet-4", max_tokens=16, messages=SAID) as stream:
        ended(anthropic.APIStatusError, stream.text_stream, str, "messages, with its helper")


def google_case():
    options = types.HttpOptions(base_url=BASE, headers=headers("google"))
    client = genai.Client(api_key="unused", http_options=options)
    config = types.GenerateContentConfig(max_output_tokens=16)
    stream = client.models.generate_content_stream(model="gemini-2.5-flash", contents="What does a gateway settle?", config=config)
    error = ended(errors.ClientError, stream, lambda event: event.text, "gemini")
    assert (error.code, error.status) == (402, "FAILED_PRECONDITION"), repr(error)


def aws_case():
    client = bedrock.client(BASE, headers("aws"))
    stream = client.converse_stream(**bedrock.asked("What does a gateway settle?", 16))
    error = ended(botocore.exceptions.EventStreamError, stream["stream"], bedrock.said, "bedrock")
    told = error.response["Error"]
    assert told["Code"] == "validationException" and "was ended here" in told["Message"], told


def ollama_case():
    client = ollama.Client(host=BASE, headers=headers("ollama"))
    stream = client.chat(model="llama3.2", messages=SAID, options={"num_predict": 16}, stream=True)
    error = ended(ollama.ResponseError, stream, lambda event: event.message.content, "ollama")
    assert "was ended here" in error.error, error.error


openai_cases()
anthropic_case()
google_case()
aws_case()
ollama_case()
print("cases hold")
