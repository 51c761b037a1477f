"""LangChain's chat models against the gateway: a tool, a stream, and what each refusal is to its user.
usage: cases.py GATEWAY openai|responses|anthropic|google"""

import importlib
import json
import os
import sys

GATEWAY, API = sys.argv[1:]
KEYS = {name: os.environ[name] for name in ("AGENT", "POOR", "HOURLY")}
PROMPT = "Note it."


def say(case, said):
    print(json.dumps({"case": case, "said": said}), flush=True)


class Asked:
    """How often any of these clients sent a request."""

    count = 0


def count(module):
    try:
        client = importlib.import_module(module).Client
    except ImportError:
        return
    send = client.send

    def counting(self, *arguments, **named):
        Asked.count += 1
        return send(self, *arguments, **named)

    client.send = counting


for module in ("httpx", "httpx2"):
    count(module)


class LangChain:
    def __init__(self, key, model):
        from langchain_core.tools import tool

        @tool
        def note(text: str) -> str:
            """Notes a text."""
            return "noted"

        self.model = self.chat_model(key, model)
        self.tool = note

    @staticmethod
    def chat_model(key, model):
        if API == "anthropic":
            from langchain_anthropic import ChatAnthropic

            return ChatAnthropic(model=model, api_key=key, base_url=GATEWAY, max_tokens=100)
        if API == "google":
            from langchain_google_genai import ChatGoogleGenerativeAI

            # By itself it sends what was answered with 429 six times.
            once = {"max_output_tokens": 100, "max_retries": 1}
            return ChatGoogleGenerativeAI(model=model, google_api_key=key, base_url=GATEWAY, **once)
        from langchain_openai import ChatOpenAI

        responses = {"use_responses_api": True} if API == "responses" else {"stream_usage": True}
        return ChatOpenAI(model=model, api_key=key, base_url=f"{GATEWAY}/v1", max_tokens=100, **responses)

    def ask(self):
        return self.model.invoke(PROMPT)

    def task(self):
        from langchain_core.messages import HumanMessage, ToolMessage

        model = self.model.bind_tools([self.tool])
        first = model.invoke(PROMPT)
        (call,) = first.tool_calls
        result = ToolMessage(self.tool.invoke(call["args"]), tool_call_id=call["id"])
        last = model.invoke([HumanMessage(PROMPT), first, result])
        return call["args"]["text"], last.text, self.used(last)

    def stream(self):
        whole = None
        for chunk in self.model.stream(PROMPT):
            whole = chunk if whole is None else whole + chunk
        return whole.text, self.used(whole)

    @staticmethod
    def used(message):
        return [message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"]]


def status(error):
    """Of the error, or of what it was made of."""
    while error is not None:
        for name in ("status_code", "code"):
            if isinstance(getattr(error, name, None), int):
                return getattr(error, name)
        error = error.__cause__


MODEL = {"anthropic": "claude-sonnet-4-5", "google": "gemini-2.5-flash"}.get(API, "gpt-4o")

tool, answer, used = LangChain(KEYS["AGENT"], MODEL).task()
say("tool", tool)
say("answer", answer)
say("used", used)
text, used = LangChain(KEYS["AGENT"], MODEL).stream()
say("stream", text)
say("used by the stream", used)

for case, key, model in (
    ("key", "no-key-of-this-gateway", MODEL),
    ("model", KEYS["AGENT"], f"{MODEL.split('-')[0]}-nothing"),
    ("budget", KEYS["POOR"], MODEL),
    ("rate", KEYS["HOURLY"], MODEL),
):
    try:
        for _ in range(2 if case == "rate" else 1):
            Asked.count = 0
            LangChain(key, model).ask()
        say(case, "an answer")
    except Exception as error:
        say(case, {"status": status(error), "message": str(error), "asked": Asked.count, "kind": type(error).__name__})
