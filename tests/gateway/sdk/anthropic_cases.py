"""The official Anthropic SDK: what it returns, what it raises, and what it does about it."""

import time

import anthropic
import httpx2

from cases import GATEWAY, QUESTION, TOO_LARGE, naps, run, slept_in_earnest, used

USUAL = {"model": "claude-sonnet-4", "max_tokens": 8, "messages": [{"role": "user", "content": QUESTION}]}


def client(tenant, **options):
    """A client that counts what it sends."""
    sent = []
    naps.clear()
    http = httpx2.Client(event_hooks={"request": [sent.append]})
    headers = {"x-tenant-id": tenant} if tenant else {}
    made = anthropic.Anthropic(
        base_url=GATEWAY, api_key="unused", default_headers=headers, http_client=http, **options
    )
    return made, sent


def ask(made, **fields):
    return made.messages.create(**USUAL | fields)


def raised(kind, made, **fields):
    try:
        ask(made, **fields)
    except anthropic.AnthropicError as error:
        assert type(error) is kind, repr(error)
        assert error.request_id and error.request_id == error.body["request_id"], "an id to ask support about"
        assert len(error.api_message) > 30, error.api_message
        assert error.error_code == error.body["error"]["code"], error.body
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def counted(headers, usage):
    cached, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    used(
        headers,
        input_tokens=usage.input_tokens + cached + written,
        output_tokens=usage.output_tokens,
        cached_input_tokens=cached,
        cache_creation_input_tokens=written,
    )


def an_answer():
    made, _ = client("anthropic")
    sim = {"x-sim": "cached=3; cache_write=2"}
    raw = made.messages.with_raw_response.create(**USUAL, extra_headers=sim)
    assert int(raw.headers["x-ratelimit-limit-requests"]) > 0
    answer = raw.parse()
    assert answer.content[0].text and answer.stop_reason == "max_tokens"
    usage = answer.usage
    assert (usage.output_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (8, 3, 2)
    counted(raw.headers, usage)


def a_stream():
    made, _ = client("anthropic")
    with made.messages.stream(**USUAL, extra_headers={"x-sim": "cached=3"}) as stream:
        text = "".join(stream.text_stream)
        answer = stream.get_final_message()
        assert len(text.split()) == 8 and answer.content[0].text == text
        counted(stream.response.headers, answer.usage)


def raw_events():
    made, _ = client("anthropic")
    stream = ask(made, stream=True)
    events = list(stream)
    assert (events[0].type, events[-1].type) == ("message_start", "message_stop")
    usage = events[0].message.usage
    usage.output_tokens = next(event.usage.output_tokens for event in events if event.type == "message_delta")
    counted(stream.response.headers, usage)


def a_rate_limit():
    made, _ = client("anthropic-minute", max_retries=0)
    ask(made)
    error = raised(anthropic.RateLimitError, made)
    assert (error.status_code, error.type, error.error_code) == (429, "rate_limit_error", "rate_limited")
    assert "1 requests per minute" in error.message and "Try again in" in error.message, error.message


def a_rate_limit_that_is_waited_for():
    made, sent = client("anthropic-minute", max_retries=1)
    error = raised(anthropic.RateLimitError, made)
    told = int(error.response.headers["retry-after"])
    # It reads the milliseconds first.
    exact = int(error.response.headers["retry-after-ms"]) / 1_000
    assert told - 1 < exact <= told and len(sent) == 2, (exact, told)
    assert len(naps) == 1 and exact <= naps[0] < exact + 1, "it would sleep as it was told the first time"


def a_wait_as_told_is_enough():
    made, sent = client("anthropic-minute", max_retries=0)
    asked = time.monotonic()
    told = int(raised(anthropic.RateLimitError, made).response.headers["retry-after-ms"])
    made, sent = client("anthropic-minute", max_retries=1)
    # What is told is rounded up to a millisecond.
    with slept_in_earnest(asked + (told - 1) / 1_000):
        assert ask(made).content
    assert len(sent) == 2


def a_rate_limit_that_is_too_long_to_wait_for():
    made, sent = client("anthropic-hour", max_retries=2)
    ask(made)
    error = raised(anthropic.RateLimitError, made)
    assert int(error.response.headers["retry-after"]) > 3_000
    assert (len(sent), naps) == (2, []), "one was answered, the other is not retried"


def the_provider_s_own_refusal():
    for kind, knobs, slept in [
        (anthropic.RateLimitError, "status=429; retry_after=7", 7.0),
        (anthropic.OverloadedError, "status=529; retry_after=2", 2.0),
    ]:
        made, sent = client("anthropic", max_retries=1)
        try:
            ask(made, extra_headers={"x-sim": knobs})
        except kind as error:
            assert error.type in ("rate_limit_error", "overloaded_error") and "as it was asked to" in error.message
        assert (len(sent), naps) == (2, [slept]), kind


def a_budget():
    made, sent = client("anthropic-poor", max_retries=2)
    for fields in [{}, {"stream": True}]:
        sent.clear()
        error = raised(anthropic.PaymentRequiredError, made, **fields)
        assert (error.status_code, error.type, error.error_code) == (402, "billing_error", "daily_budget_exceeded")
        assert "daily budget of $0.000001" in error.message, error.message
        assert error.body["error"]["detail"]["limit"] == "0.000001"
        assert (len(sent), naps) == (1, []), "it is not retried"


def a_dear_request():
    made, sent = client("anthropic", max_retries=2, timeout=60)
    error = raised(anthropic.PaymentRequiredError, made, max_tokens=100_000)
    assert (error.type, error.error_code, len(sent)) == ("billing_error", "request_budget_exceeded", 1)


def no_tenant():
    made, sent = client(None)
    error = raised(anthropic.AuthenticationError, made)
    assert (error.type, error.error_code, len(sent)) == ("authentication_error", "tenant_missing", 1)


def an_unknown_tenant():
    made, sent = client("nobody")
    error = raised(anthropic.PermissionDeniedError, made)
    assert (error.type, error.error_code, len(sent)) == ("permission_error", "tenant_unknown", 1)


def a_forbidden_model():
    made, _ = client("anthropic-picky")
    assert raised(anthropic.PermissionDeniedError, made, model="gpt-4").error_code == "model_not_allowed"


def a_model_that_is_not_here():
    made, sent = client("anthropic")
    error = raised(anthropic.NotFoundError, made, model="claude-9")
    assert (error.type, error.error_code, len(sent)) == ("not_found_error", "model_unpriced", 1)
    assert "`claude-9`" in error.message, error.message


def a_bad_request():
    made, sent = client("anthropic")
    error = raised(anthropic.BadRequestError, made, extra_body={"max_tokens": "many"})
    assert (error.type, error.error_code, len(sent)) == ("invalid_request_error", "invalid_request", 1)


def a_large_request():
    made, sent = client("anthropic")
    error = raised(anthropic.ContentTooLargeError, made, messages=[{"role": "user", "content": TOO_LARGE}])
    assert (error.type, error.error_code, len(sent)) == ("request_too_large", "request_too_large", 1)


run(
    an_answer,
    a_stream,
    raw_events,
    a_rate_limit,
    a_rate_limit_that_is_waited_for,
    a_rate_limit_that_is_too_long_to_wait_for,
    the_provider_s_own_refusal,
    a_budget,
    a_dear_request,
    no_tenant,
    an_unknown_tenant,
    a_forbidden_model,
    a_model_that_is_not_here,
    a_bad_request,
    a_large_request,
    a_wait_as_told_is_enough,
)
