"""What the programs for Python have in common: they are told something by a line of words, and answer by a line of
JSON. See tests/src/interop/mod.rs for the words."""

import json
import os
import sys
import threading
import time

# How long reading waits for what is to come, seconds.
PATIENCE = 40


class NotOffered(Exception):
    """The client has no such thing."""


def say(**words):
    """One line, whole, whoever else writes."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def record(number):
    """Key and value of a number; long and alike, so that compressing them is worth it."""
    return str(number).encode(), f"{number} {'and so on ' * 20}".encode()


def numbers(first, count, pause):
    """The numbers to be produced, with the pause after each."""
    for number in range(int(first), int(first) + int(count)):
        yield number
        time.sleep(int(pause) / 1000)


def serve(verbs):
    """Answers every line with what the function of that name in `verbs` returns. A function `member` is a generator
    of records: it runs in a thread of its own until its `stop` is set, and ends when it has left."""
    stop, member = threading.Event(), None
    for line in sys.stdin:
        verb, *words = line.split()
        try:
            if verb == "member":
                member = threading.Thread(target=share, args=(verbs[verb], stop, words))
                member.start()
                data = None
            elif verb == "leave":
                stop.set()
                member.join()
                data = None
            elif verb in verbs:
                data = verbs[verb](*words)
            else:
                raise NotOffered(f"there is no {verb}")
            say(ok=True, data=data)
        except NotOffered as error:
            say(ok=None, why=str(error))
        except Exception as error:  # whatever a library throws is its answer
            say(ok=False, why=f"{type(error).__name__}: {error}")
        if verb == "leave":
            os._exit(0)


def share(member, stop, words):
    """Says what a member reads."""
    try:
        for partition, offset, key in member(stop, *words):
            say(record=[partition, offset, int(key)])
    except Exception as error:
        say(ok=False, why=f"{type(error).__name__}: {error}")


def until(count, poll, linger=0.0):
    """Calls `poll`, which returns records, until there are `count`, and `linger` seconds longer, when what comes too
    often would come."""
    read, deadline = [], time.monotonic() + PATIENCE
    while len(read) < count and time.monotonic() < deadline:
        read += poll()
    deadline = time.monotonic() + linger
    while time.monotonic() < deadline:
        read += poll()
    return read
