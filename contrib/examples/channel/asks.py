"""Asks the C++ program three things, one after the other, and ends when it is asked to."""
from svd_channel import Channel

channel = Channel()
channel.send({"svd": "ready"})
channel.send({"svd": {"to": "answers"}, "data": 1})
for message in channel:
    if message == {"svd": "stop"}:
        break
    if "data" not in message:
        continue
    print("heard", message["data"], "from", message["svd"]["from"], flush=True)
    if message["data"] < 3:
        channel.send({"svd": {"to": message["svd"]["from"]}, "data": message["data"] + 1})
    else:
        channel.send({"done": True})   # for svctl messages
