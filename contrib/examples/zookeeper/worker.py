# SPDX-License-Identifier: Apache-2.0
"""One of several instances. Whom ZooKeeper elects works until it ends; the others wait for that."""
import json
import os
import signal
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import CancelledError

instance = f"{os.environ['SVD_APP']}/{os.environ['SVD_INSTANCE']}"
channel = open(int(os.environ["SVD_CHANNEL_FD"]), "w", buffering=1, encoding="utf-8")
client = KazooClient(os.environ["ZOOKEEPER"], timeout=1.0)
election = client.Election("/worker/leader", instance)
told_to_end = threading.Event()


def say(value):
    channel.write(json.dumps(value) + "\n")


def lead():
    print(instance, "leads", flush=True)
    say({"instance": instance, "is": "leader"})
    told_to_end.wait()


def end(*_):
    told_to_end.set()
    election.cancel()


signal.signal(signal.SIGTERM, end)
client.start(timeout=60)
say({"svd": "ready"})
try:
    election.run(lead)
except CancelledError:
    pass
client.stop()
