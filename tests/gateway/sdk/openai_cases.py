"""The official OpenAI SDK: what it returns, what it raises, and what it does about it."""

import httpx2
import openai

from cases import GATEWAY, QUESTION, TOO_LARGE, naps, run, used

MESSAGES = [{"role": "user", "content": QUESTION}]


def client(tenant, **options):
    """A client that counts what it sends."""
    sent = []
    naps.clear()
    http = httpx2.Client(event_hooks={"request": [sent.append]})
    headers = {"x-tenant-id": tenant} if tenant else {}
    base_url = f"{GATEWAY}/v1"
    made = openai.OpenAI(base_url=base_url, api_key="unused", default_headers=headers, http_client=http, **options)
    return made, sent


def ask(made, **fields):
    return made.chat.completions.create(**{"model": "gpt-4o-mini", "messages": MESSAGES, "max_tokens": 8} | fields)


def raised(kind, call, *arguments, **fields):
    try:
        call(*arguments, **fields)
    except openai.OpenAIError as error:
        assert type(error) is kind, repr(error)
        assert error.request_id, "an id to ask support about"
        assert len(error.message) > 40 and "Error code" in error.message, error.message
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def counted(headers, usage):
    used(
        headers,
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        cached_input_tokens=usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0,
    )


def counted_response(headers, usage):
    used(
        headers,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        cached_input_tokens=usage.input_tokens_details.cached_tokens,
        reasoning_tokens=usage.output_tokens_details.reasoning_tokens,
    )


def an_answer():
    made, _ = client("openai")
    raw = made.chat.completions.with_raw_response.create(
        model="gpt-4o-mini", messages=MESSAGES, max_tokens=8, extra_headers={"x-sim": "cached=3"}
    )
    assert int(raw.headers["x-ratelimit-limit-requests"]) > 0
    answer = raw.parse()
    assert answer.choices[0].message.content and answer.model == "gpt-4o-mini"
    assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (8, "length")
    assert answer.usage.prompt_tokens_details.cached_tokens == 3
    counted(raw.headers, answer.usage)


def a_stream():
    made, _ = client("openai")
    stream = ask(made, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert len(text.split()) == 8, text
    (last,) = [chunk for chunk in chunks if not chunk.choices]
    counted(stream.response.headers, last.usage)


def a_stream_without_usage():
    made, _ = client("openai-quiet")
    chunks = list(ask(made, stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    with made.chat.completions.stream(model="gpt-4o-mini", messages=MESSAGES) as stream:
        stream.until_done()
        assert stream.get_final_completion().choices[0].message.content


def a_stream_that_is_left():
    made, _ = client("openai-quiet")
    stream = ask(made, stream=True)
    next(stream)
    stream.close()


def a_response():
    made, _ = client("openai")
    sim = {"x-sim": "tokens=9; reasoning=4; cached=2"}
    raw = made.responses.with_raw_response.create(
        model="gpt-5-mini", input=QUESTION, max_output_tokens=32, extra_headers=sim
    )
    answer = raw.parse()
    assert answer.output_text and answer.usage.output_tokens_details.reasoning_tokens == 4
    counted_response(raw.headers, answer.usage)


def a_response_as_a_stream():
    made, _ = client("openai")
    stream = made.responses.create(model="gpt-5-mini", input=QUESTION, max_output_tokens=16, stream=True)
    events = list(stream)
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    answer = events[-1].response
    assert text and text == answer.output_text
    counted_response(stream.response.headers, answer.usage)


def embeddings():
    made, _ = client("openai")
    raw = made.embeddings.with_raw_response.create(
        model="text-embedding-3-small", input=[QUESTION, "And when?"], dimensions=64
    )
    answer = raw.parse()
    assert [len(item.embedding) for item in answer.data] == [64, 64]
    tokens = answer.usage.prompt_tokens
    used(raw.headers, input_tokens=tokens, output_tokens=0, total_tokens=answer.usage.total_tokens)


def transcribe(made, **fields):
    # A name that a reader of forms may trip over, and a content that has dashes and line ends in it.
    upload = ('a "quoted" n\u00e4me; name=model.wav', b"RIFF\r\n--" + bytes(range(256)) * 500, "audio/wav")
    return made.audio.transcriptions.with_raw_response.create(
        **{"model": "gpt-4o-transcribe", "file": upload, "prompt": 'name="model"', "response_format": "json"} | fields
    )


def a_transcription():
    made, _ = client("openai")
    raw = transcribe(made, extra_headers={"x-sim": "case=openai_audio/openai_transcription_tokens"})
    usage = raw.parse().usage
    used(raw.headers, **{count: getattr(usage, count) for count in ("input_tokens", "output_tokens", "total_tokens")})


def a_transcription_as_a_stream():
    made, _ = client("openai")
    sim = {"x-sim": "case=openai_audio/openai_transcription_sse"}
    raw = transcribe(made, model="gpt-4o-mini-transcribe", stream=True, extra_headers=sim)
    usage = list(raw.parse())[-1].usage
    used(raw.headers, **{count: getattr(usage, count) for count in ("input_tokens", "output_tokens", "total_tokens")})


def a_rate_limit():
    made, _ = client("openai-minute", max_retries=0)
    ask(made)
    error = raised(openai.RateLimitError, ask, made)
    assert (error.status_code, error.code, error.type) == (429, "rate_limited", "requests")
    assert "1 requests per minute" in error.message and "Try again in" in error.message, error.message


def a_rate_limit_that_is_waited_for():
    made, sent = client("openai-minute", max_retries=1)
    error = raised(openai.RateLimitError, ask, made)
    told = int(error.response.headers["retry-after"])
    assert len(sent) == 2 and len(naps) == 1, (sent, naps)
    # It reads the milliseconds, and sleeps a little longer where it is told to.
    exact = int(error.response.headers["retry-after-ms"]) / 1_000
    assert told - 1 < exact <= told and exact <= naps[0] <= exact + 1, (naps, exact, told)


def a_rate_limit_that_is_too_long_to_wait_for():
    made, sent = client("openai-hour", max_retries=2)
    ask(made)
    error = raised(openai.RateLimitError, ask, made)
    assert int(error.response.headers["retry-after"]) > 3_000
    assert (len(sent), naps) == (2, []), "one was answered, the other is not retried"


def the_provider_s_own_rate_limit():
    made, sent = client("openai", max_retries=1)
    error = raised(openai.RateLimitError, ask, made, extra_headers={"x-sim": "status=429; retry_after=7"})
    assert (len(sent), naps, error.code) == (2, [7.0], "rate_limit_exceeded")


def a_budget():
    made, sent = client("openai-poor", max_retries=2)
    for call, fields in [
        (made.chat.completions.create, {"model": "gpt-4o-mini", "messages": MESSAGES}),
        (made.responses.create, {"model": "gpt-5-mini", "input": QUESTION}),
        (made.responses.create, {"model": "gpt-5-mini", "input": QUESTION, "stream": True}),
        (made.embeddings.create, {"model": "text-embedding-3-small", "input": QUESTION * 20}),
    ]:
        sent.clear()
        error = raised(openai.APIStatusError, call, **fields)
        assert (error.status_code, error.code, error.type) == (402, "daily_budget_exceeded", "insufficient_quota")
        assert "daily budget of $0.000001" in error.message, error.message
        assert error.body["detail"]["limit"] == "0.000001"
        assert (len(sent), naps) == (1, []), "it is not retried"


def a_dear_request():
    made, sent = client("openai", max_retries=2)
    error = raised(openai.APIStatusError, ask, made, model="gpt-4", max_tokens=100_000)
    assert (error.status_code, error.code, len(sent)) == (402, "request_budget_exceeded", 1)


def no_tenant():
    made, sent = client(None)
    error = raised(openai.AuthenticationError, ask, made)
    assert (error.status_code, error.code, len(sent)) == (401, "tenant_missing", 1)


def an_unknown_tenant():
    made, sent = client("nobody")
    error = raised(openai.PermissionDeniedError, ask, made)
    assert (error.status_code, error.code, len(sent)) == (403, "tenant_unknown", 1)


def a_forbidden_model():
    made, _ = client("openai-picky")
    assert raised(openai.PermissionDeniedError, ask, made, model="gpt-4").code == "model_not_allowed"


def a_model_that_is_not_here():
    made, sent = client("openai")
    error = raised(openai.NotFoundError, ask, made, model="gpt-9")
    assert (error.status_code, error.code, error.type, len(sent)) == (404, "model_unpriced", "invalid_request_error", 1)
    assert "`gpt-9`" in error.message, error.message


def a_bad_request():
    made, sent = client("openai")
    error = raised(openai.BadRequestError, ask, made, n="two")
    assert (error.status_code, error.code, len(sent)) == (400, "invalid_request", 1)


def a_large_request():
    made, sent = client("openai")
    error = raised(openai.APIStatusError, ask, made, messages=[{"role": "user", "content": TOO_LARGE}])
    assert (error.status_code, error.code, len(sent)) == (413, "request_too_large", 1)


def a_provider_that_is_gone():
    made, sent = client("openai", max_retries=1)
    error = raised(openai.InternalServerError, ask, made, extra_headers={"x-sim": "reset"})
    assert (error.status_code, error.code, len(sent)) == (503, "provider_unavailable", 2)


run(
    an_answer,
    a_stream,
    a_stream_without_usage,
    a_stream_that_is_left,
    a_response,
    a_response_as_a_stream,
    embeddings,
    a_transcription,
    a_transcription_as_a_stream,
    a_rate_limit,
    a_rate_limit_that_is_waited_for,
    a_rate_limit_that_is_too_long_to_wait_for,
    the_provider_s_own_rate_limit,
    a_budget,
    a_dear_request,
    no_tenant,
    an_unknown_tenant,
    a_forbidden_model,
    a_model_that_is_not_here,
    a_bad_request,
    a_large_request,
    a_provider_that_is_gone,
)
