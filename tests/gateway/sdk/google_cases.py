"""The official Google Gen AI SDK: what it returns, what it raises, and what it does about it."""

import httpx2
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials

from cases import GATEWAY, QUESTION, TOO_LARGE, naps, run, used

MODEL = "gemini-2.5-flash"
AI_STUDIO = {"api_key": "unused"}
VERTEX = {"vertexai": True, "project": "p", "location": "us-central1", "credentials": Credentials("unused")}


def client(tenant, sim=None, at=AI_STUDIO, **options):
    """A client that counts what it sends."""
    sent = []
    naps.clear()
    http = httpx2.Client(event_hooks={"request": [sent.append]})
    headers = {"x-tenant-id": tenant, "x-sim": sim}
    headers = {name: value for name, value in headers.items() if value}
    http_options = types.HttpOptions(base_url=GATEWAY, headers=headers, httpx_client=http, **options)
    return genai.Client(**at, http_options=http_options).models, sent


def ask(made, contents=QUESTION, model=MODEL, tokens=8):
    config = types.GenerateContentConfig(max_output_tokens=tokens)
    return made.generate_content(model=model, contents=contents, config=config)


def asked_for_a_stream(made):
    config = types.GenerateContentConfig(max_output_tokens=8)
    return list(made.generate_content_stream(model=MODEL, contents=QUESTION, config=config))


def raised(status, call, *arguments, **fields):
    """The error, and the gateway's code in it."""
    try:
        call(*arguments, **fields)
    except errors.APIError as error:
        assert type(error) is errors.ClientError, repr(error)
        assert error.response.headers["x-request-id"], "an id to ask support about"
        assert len(error.message) > 30 and error.message in str(error), error.message
        told = error.details["error"]
        assert (error.status, told["code"]) == (status, error.code), told
        assert told["details"][0]["@type"].endswith("/google.rpc.ErrorInfo"), told
        return error, told["details"][0]["reason"]
    raise AssertionError(f"{status} was not raised")


def counted(answer):
    usage = answer.usage_metadata
    used(
        answer.sdk_http_response.headers,
        input_tokens=usage.prompt_token_count,
        output_tokens=usage.candidates_token_count + (usage.thoughts_token_count or 0),
        total_tokens=usage.total_token_count,
        cached_input_tokens=usage.cached_content_token_count or 0,
        reasoning_tokens=usage.thoughts_token_count or 0,
    )


def an_answer():
    made, _ = client("google", sim="reasoning=3; cached=2")
    answer = ask(made)
    assert answer.text and answer.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert answer.usage_metadata.thoughts_token_count == 3
    assert int(answer.sdk_http_response.headers["x-ratelimit-limit-requests"]) > 0
    counted(answer)


def a_stream():
    made, _ = client("google", sim="reasoning=3")
    chunks = asked_for_a_stream(made)
    assert len("".join(chunk.text or "" for chunk in chunks).split()) == 5
    counted(chunks[-1])


def through_vertex():
    made, sent = client("google", at=VERTEX)
    counted(ask(made))
    assert "/projects/p/" in str(sent[0].url)
    _, code = raised("FAILED_PRECONDITION", ask, made, tokens=100_000)
    assert code == "request_budget_exceeded"


def a_rate_limit():
    made, sent = client("google-minute")
    ask(made)
    error, code = raised("RESOURCE_EXHAUSTED", ask, made)
    assert (error.code, code) == (429, "rate_limited")
    assert "1 requests per minute" in error.message and "Try again in" in error.message, error.message
    info, limit = error.details["error"]["details"][1:]
    assert info["@type"].endswith("/google.rpc.RetryInfo")
    assert info["retryDelay"] == error.response.headers["retry-after"] + "s"
    assert limit["value"]["limit"] == 1
    assert (len(sent), naps) == (2, []), "by itself it retries nothing"


def a_rate_limit_that_it_was_told_to_retry():
    made, sent = client("google-minute", retry_options=types.HttpRetryOptions(attempts=3))
    raised("RESOURCE_EXHAUSTED", ask, made)
    assert len(sent) == 3 and len(naps) == 2 and max(naps) < 5, "as it likes, whatever it is told"


def a_budget():
    made, sent = client("google-poor", retry_options=types.HttpRetryOptions(attempts=3))
    for call in (ask, asked_for_a_stream):
        sent.clear()
        error, code = raised("FAILED_PRECONDITION", call, made)
        assert (error.code, code) == (402, "daily_budget_exceeded")
        assert "daily budget of $0.000001" in error.message, error.message
        assert error.details["error"]["details"][1]["value"]["limit"] == "0.000001"
        assert (len(sent), naps) == (1, []), "it is not retried"


def a_dear_request():
    made, sent = client("google")
    error, code = raised("FAILED_PRECONDITION", ask, made, tokens=100_000)
    assert (error.code, code, len(sent)) == (402, "request_budget_exceeded", 1)


def no_tenant():
    made, sent = client(None)
    error, code = raised("UNAUTHENTICATED", ask, made)
    assert (error.code, code, len(sent)) == (401, "tenant_missing", 1)


def an_unknown_tenant():
    made, sent = client("nobody")
    error, code = raised("PERMISSION_DENIED", ask, made)
    assert (error.code, code, len(sent)) == (403, "tenant_unknown", 1)


def a_forbidden_model():
    made, _ = client("google-picky")
    _, code = raised("PERMISSION_DENIED", ask, made, model="gpt-4")
    assert code == "model_not_allowed"


def a_model_that_is_not_here():
    made, sent = client("google")
    error, code = raised("NOT_FOUND", ask, made, model="gemini-9")
    assert (error.code, code, len(sent)) == (404, "model_unpriced", 1)


def a_bad_request():
    made, sent = client("google", extra_body={"generationConfig": {"candidateCount": "two"}})
    error, code = raised("INVALID_ARGUMENT", ask, made)
    assert (error.code, code, len(sent)) == (400, "invalid_request", 1)


def a_large_request():
    made, sent = client("google")
    error, code = raised("INVALID_ARGUMENT", ask, made, contents=TOO_LARGE)
    assert (error.code, code, len(sent)) == (413, "request_too_large", 1)


run(
    an_answer,
    a_stream,
    through_vertex,
    a_rate_limit,
    a_rate_limit_that_it_was_told_to_retry,
    a_budget,
    a_dear_request,
    no_tenant,
    an_unknown_tenant,
    a_forbidden_model,
    a_model_that_is_not_here,
    a_bad_request,
    a_large_request,
)
