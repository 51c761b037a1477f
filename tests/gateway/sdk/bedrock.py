"""A client of AWS's official SDK for Bedrock, with headers that its own signature doesn't know."""

import boto3
import botocore.config


def client(base, headers, attempts=1, **config):
    made = boto3.client(
        "bedrock-runtime",
        endpoint_url=base,
        region_name="us-east-1",
        aws_access_key_id="unused",
        aws_secret_access_key="unused",
        config=botocore.config.Config(retries={"total_max_attempts": attempts}, **config),
    )
    made.meta.events.register("before-call.bedrock-runtime", lambda params, **_: params["headers"].update(headers))
    return made


def asked(text, tokens):
    """What it asks Converse."""
    messages = [{"role": "user", "content": [{"text": text}]}]
    return {"modelId": "amazon.nova-lite-v1:0", "messages": messages, "inferenceConfig": {"maxTokens": tokens}}


def said(event):
    """The text of an event of a stream."""
    return event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
