"""The official OpenAI SDK against the gateway: what it returns, what it raises, and what it does about it.

Usage: sdk.py BASE_URL. Each case prints its name; the first that fails ends with its traceback.
"""

import sys
import time

import httpx2
import openai

BASE_URL = sys.argv[1]
MESSAGES = [{"role": "user", "content": "What does a gateway settle?"}]

naps = []
time.sleep = naps.append


def client(tenant, **options):
    """A client that counts what it sends. Its naps are counted too, and skipped."""
    sent = []
    naps.clear()
    http = httpx2.Client(event_hooks={"request": [sent.append]})
    headers = {"x-tenant-id": tenant} if tenant else {}
    made = openai.OpenAI(base_url=BASE_URL, api_key="unused", default_headers=headers, http_client=http, **options)
    return made, sent


def ask(made, **fields):
    return made.chat.completions.create(**{"model": "gpt-4o-mini", "messages": MESSAGES, "max_tokens": 8} | fields)


def raised(kind, made, **fields):
    try:
        ask(made, **fields)
    except openai.OpenAIError as error:
        assert type(error) is kind, repr(error)
        assert error.request_id, "an id to ask support about"
        assert len(error.message) > 40 and "Error code" in error.message, error.message
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def an_answer():
    made, _ = client("sdk")
    answer = ask(made)
    assert answer.choices[0].message.content and answer.model == "gpt-4o-mini"
    assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (8, "length")
    raw = made.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=MESSAGES)
    assert int(raw.headers["x-ratelimit-limit-requests"]) > 0 and raw.headers["x-request-id"]


def a_stream():
    made, _ = client("sdk")
    for options, usages in [({}, 0), ({"stream_options": {"include_usage": True}}, 1)]:
        chunks = list(ask(made, stream=True, **options))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert len(text.split()) == 8, text
        assert sum(chunk.usage is not None for chunk in chunks) == usages
        assert sum(not chunk.choices for chunk in chunks) == usages
    with made.chat.completions.stream(model="gpt-4o-mini", messages=MESSAGES) as stream:
        stream.until_done()
        assert stream.get_final_completion().choices[0].message.content


def a_stream_that_is_left():
    made, _ = client("sdk")
    stream = ask(made, stream=True)
    next(stream)
    stream.close()


def a_rate_limit():
    made, _ = client("sdk-limited", max_retries=0)
    ask(made)
    error = raised(openai.RateLimitError, made)
    assert (error.status_code, error.code, error.type) == (429, "rate_limited", "requests")
    assert "1 requests per minute" in error.message and "Try again in" in error.message, error.message


def a_rate_limit_that_is_waited_for():
    made, sent = client("sdk-limited", max_retries=1)
    error = raised(openai.RateLimitError, made)
    told = int(error.response.headers["retry-after"])
    assert len(sent) == 2 and len(naps) == 1, (sent, naps)
    assert told <= naps[0] <= told + 1, (naps, told)


def the_provider_s_own_rate_limit():
    made, sent = client("sdk", max_retries=1)
    error = raised(openai.RateLimitError, made, extra_headers={"x-sim": "status=429; retry_after=7"})
    assert (len(sent), naps, error.code) == (2, [7.0], "rate_limit_exceeded")


def a_budget():
    made, sent = client("sdk-poor", max_retries=2)
    error = raised(openai.APIStatusError, made)
    assert (error.status_code, error.code, error.type) == (402, "daily_budget_exceeded", "insufficient_quota")
    assert "daily budget of $0.000001" in error.message, error.message
    assert error.body["detail"]["limit"] == "0.000001"
    assert (len(sent), naps) == (1, []), "it is not retried"


def a_dear_request():
    made, sent = client("sdk", max_retries=2)
    error = raised(openai.APIStatusError, made, model="gpt-4", max_tokens=100_000)
    assert (error.status_code, error.code, len(sent)) == (402, "request_budget_exceeded", 1)


def no_tenant():
    made, sent = client(None)
    error = raised(openai.AuthenticationError, made)
    assert (error.status_code, error.code, len(sent)) == (401, "tenant_missing", 1)


def an_unknown_tenant():
    made, sent = client("nobody")
    error = raised(openai.PermissionDeniedError, made)
    assert (error.status_code, error.code, len(sent)) == (403, "tenant_unknown", 1)


def a_forbidden_model():
    made, _ = client("sdk-picky")
    assert raised(openai.PermissionDeniedError, made, model="gpt-4").code == "model_not_allowed"


def a_bad_request():
    made, sent = client("sdk")
    error = raised(openai.BadRequestError, made, n="two")
    assert (error.status_code, error.code, len(sent)) == (400, "invalid_request", 1)


def a_large_request():
    made, sent = client("sdk")
    error = raised(openai.APIStatusError, made, messages=[{"role": "user", "content": "x" * (5 << 20)}])
    assert (error.status_code, error.code, len(sent)) == (413, "request_too_large", 1)


def a_provider_that_is_gone():
    made, sent = client("sdk", max_retries=1)
    error = raised(openai.InternalServerError, made, extra_headers={"x-sim": "reset"})
    assert (error.status_code, error.code, len(sent)) == (503, "provider_unavailable", 2)


CASES = [
    an_answer,
    a_stream,
    a_stream_that_is_left,
    a_rate_limit,
    a_rate_limit_that_is_waited_for,
    the_provider_s_own_rate_limit,
    a_budget,
    a_dear_request,
    no_tenant,
    an_unknown_tenant,
    a_forbidden_model,
    a_bad_request,
    a_large_request,
    a_provider_that_is_gone,
]

if __name__ == "__main__":
    for case in CASES:
        print(case.__name__, flush=True)
        case()
    print(f"{len(CASES)} cases hold", flush=True)
