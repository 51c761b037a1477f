"""AWS's official SDK at Bedrock's Converse: what it returns, what it raises, and what it does about it."""

import botocore.exceptions

import bedrock
from cases import GATEWAY, QUESTION, TOO_LARGE, naps, run, used

MODEL = "amazon.nova-lite-v1:0"


def client(tenant, sim=None, attempts=3):
    """A client that counts what it sends, and leaves it to the gateway to find fault."""
    sent = []
    naps.clear()
    headers = {"x-tenant-id": tenant, "x-sim": sim}
    headers = {name: value for name, value in headers.items() if value}
    made = bedrock.client(GATEWAY, headers, attempts, parameter_validation=False)
    made.meta.events.register("before-send.bedrock-runtime", lambda request, **_: sent.append(request))
    return made, sent


def ask(made, text=QUESTION, model=MODEL, tokens=8, method="converse"):
    messages = [{"role": "user", "content": [{"text": text}]}]
    return getattr(made, method)(modelId=model, messages=messages, inferenceConfig={"maxTokens": tokens})


def raised(kind, made, **fields):
    """What the error told, and the gateway's code in it."""
    try:
        ask(made, **fields)
    except botocore.exceptions.ClientError as error:
        assert type(error) is getattr(made.exceptions, kind), repr(error)
        told, metadata = error.response["Error"], error.response["ResponseMetadata"]
        assert metadata["RequestId"], "an id to ask support about"
        assert told["Code"] == kind and len(told["Message"]) > 30, told
        return metadata["HTTPStatusCode"], told["Message"], error
    raise AssertionError(f"{kind} was not raised")


def counted(answer, usage):
    cached, written = usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]
    used(
        answer["ResponseMetadata"]["HTTPHeaders"],
        input_tokens=usage["inputTokens"] + cached + written,
        output_tokens=usage["outputTokens"],
        total_tokens=usage["totalTokens"],
        cached_input_tokens=cached,
        cache_creation_input_tokens=written,
    )


def an_answer():
    made, _ = client("aws", sim="cached=3; cache_write=2")
    answer = ask(made)
    assert answer["output"]["message"]["content"][0]["text"] and answer["stopReason"] == "max_tokens"
    counted(answer, answer["usage"])


def a_stream():
    made, _ = client("aws", sim="cached=3")
    answer = ask(made, method="converse_stream")
    events = list(answer["stream"])
    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert len("".join(deltas).split()) == 8
    counted(answer, events[-1]["metadata"]["usage"])


def a_rate_limit():
    made, sent = client("aws-minute", attempts=1)
    ask(made)
    status, message, _ = raised("ThrottlingException", made)
    assert status == 429 and "1 requests per minute" in message and "Try again in" in message, message
    assert len(sent) == 2


def a_rate_limit_is_retried_as_it_likes():
    made, sent = client("aws-minute", attempts=3)
    raised("ThrottlingException", made)
    assert len(sent) == 3 and len(naps) == 2 and max(naps) < 5, "whatever it is told"


def a_budget():
    made, sent = client("aws-poor")
    for method in ("converse", "converse_stream"):
        sent.clear()
        status, message, error = raised("ServiceQuotaExceededException", made, method=method)
        assert status == 402 and "daily budget of $0.000001" in message, message
        assert error.response["message"] == message
        assert (len(sent), naps) == (1, []), "it is not retried"


def a_dear_request():
    made, sent = client("aws")
    status, message, _ = raised("ServiceQuotaExceededException", made, tokens=1_000_000)
    assert status == 402 and "$0.10 a single request" in message and len(sent) == 1, message


def no_tenant():
    made, sent = client(None)
    status, _, _ = raised("AccessDeniedException", made)
    assert (status, len(sent)) == (401, 1)


def an_unknown_tenant():
    made, sent = client("nobody")
    status, _, _ = raised("AccessDeniedException", made)
    assert (status, len(sent)) == (403, 1)


def a_forbidden_model():
    made, _ = client("aws-picky")
    status, message, _ = raised("AccessDeniedException", made, model="gpt-4")
    assert status == 403 and "this tenant may use" in message, message


def a_model_that_is_not_here():
    made, sent = client("aws")
    status, message, _ = raised("ResourceNotFoundException", made, model="amazon.nova-9-v1:0")
    assert (status, len(sent)) == (404, 1) and "`amazon.nova-9-v1:0`" in message, message


def a_bad_request():
    made, sent = client("aws")
    status, message, _ = raised("ValidationException", made, tokens="many")
    assert status == 400 and "maxTokens" in message and len(sent) == 1, message


def a_large_request():
    made, sent = client("aws")
    status, _, _ = raised("ValidationException", made, text=TOO_LARGE)
    assert (status, len(sent)) == (413, 1)


run(
    an_answer,
    a_stream,
    a_rate_limit,
    a_rate_limit_is_retried_as_it_likes,
    a_budget,
    a_dear_request,
    no_tenant,
    an_unknown_tenant,
    a_forbidden_model,
    a_model_that_is_not_here,
    a_bad_request,
    a_large_request,
)
