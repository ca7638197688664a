"""POST /triggers by FastAPI and pika: 202 once RabbitMQ has confirmed the message.

AMQP_URL and AMQP_EXCHANGE in the environment; run by: uvicorn server:app
"""
import asyncio
import json
import os
import time
import uuid as uuids

import pika
from fastapi import FastAPI, Request, Response
from pika.adapters.asyncio_connection import AsyncioConnection

EXCHANGE = os.environ["AMQP_EXCHANGE"]
app = FastAPI()
unconfirmed = {}  # delivery tag -> (future, uuid), oldest first
returned = set()  # uuids; a return comes before its confirm
channel, published = None, 0


def on_confirm(frame):
    ack = frame.method
    tags = [ack.delivery_tag]
    if ack.multiple:
        tags = [tag for tag in unconfirmed if tag <= ack.delivery_tag]
    for tag in tags:
        future, uuid = unconfirmed.pop(tag)
        if not future.done():  # the client may have gone
            future.set_result(ack.NAME == "Basic.Ack" and uuid not in returned)
        returned.discard(uuid)


@app.on_event("startup")
async def connect():
    global channel
    loop = asyncio.get_running_loop()
    opened, confirming = loop.create_future(), loop.create_future()
    # A message must not be lost in a connection that is gone: whoever supervises the process starts it again.
    connection = AsyncioConnection(pika.URLParameters(os.environ["AMQP_URL"]), on_open_callback=opened.set_result,
                                   on_close_callback=lambda *_: os._exit(1), custom_ioloop=loop)
    await opened
    channel = connection.channel(on_open_callback=lambda ch: ch.confirm_delivery(on_confirm, confirming.set_result))
    channel.add_on_return_callback(lambda ch, method, properties, body: returned.add(properties.message_id))
    await confirming


@app.get("/readyz")
async def ready():
    return "ready"


def is_name(value):
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isascii() and value.isprintable()


@app.post("/triggers")
async def post_trigger(request: Request):
    global published
    try:
        trigger = json.loads(await request.body())
        version, protocol = trigger["apiVersion"], trigger["protocol"]
        if not (is_name(version) and is_name(protocol) and isinstance(trigger["spec"], dict)):
            raise ValueError("apiVersion, protocol or spec")
    except (ValueError, KeyError, TypeError) as error:
        return Response(json.dumps({"detail": str(error)}), 400, media_type="application/problem+json")
    uuid = trigger["uuid"] = str(uuids.uuid4())
    confirmed = asyncio.get_running_loop().create_future()
    published += 1
    unconfirmed[published] = confirmed, uuid
    channel.basic_publish(EXCHANGE, f"{version.replace('/', '.')}.{protocol}", json.dumps(trigger).encode(),
                          pika.BasicProperties(content_type="application/json", delivery_mode=2, message_id=uuid,
                                               timestamp=int(time.time()), type=protocol, app_id="peer-python"),
                          mandatory=True)
    if not await confirmed:
        return Response('{"detail":"not taken by the broker"}', 503, media_type="application/problem+json")
    return Response(f'{{"uuid":"{uuid}","status":"published"}}', 202, {"Location": f"/triggers/{uuid}"},
                    "application/json")
