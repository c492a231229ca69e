# SPDX-License-Identifier: Apache-2.0
"""A worker that takes jobs from a queue of its own; Ctrl-C (SIGINT) lets it finish the job at hand."""
import os
import signal
import threading

asked_to_leave = threading.Event()
signal.signal(signal.SIGINT, lambda *_: asked_to_leave.set())

name = f"{os.environ['SVD_APP']}/{os.environ['SVD_INSTANCE']} of {os.environ['SVD_INSTANCES']}"
print(f"{name} works on {os.environ['QUEUE']}")
job = 0
while not asked_to_leave.wait(timeout=1):
    job += 1
    print(f"job {job} done")
print(f"{name} leaves after {job} jobs")
