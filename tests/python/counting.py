"""An outside client that counts what was acknowledged while the cluster under it is being hurt.

counting.py BOOTSTRAP TOPIC RATE STOP_FILE ACKNOWLEDGED_FILE

Produces rising numbers, idempotent and with acks=all, RATE a second, until STOP_FILE exists. Writes every
acknowledged number, one a line, to ACKNOWLEDGED_FILE, and prints one line: sent, acknowledged, failed, and the
longest time without an acknowledgement.
"""

import os
import sys
import time

from confluent_kafka import Producer


def main(bootstrap, topic, rate, stop_file, acknowledged_file):
    acknowledged, failed = [], 0
    last, longest = time.monotonic(), 0.0

    def delivered(error, message):
        nonlocal failed, last, longest
        now = time.monotonic()
        if error is None:
            acknowledged.append(int(message.value()))
            longest = max(longest, now - last)
            last = now
        else:
            failed += 1
            print(f"not delivered: {error}", file=sys.stderr)

    producer = Producer({
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "linger.ms": 2,
        "retry.backoff.ms": 50,
        "reconnect.backoff.max.ms": 200,
        "topic.metadata.refresh.interval.ms": 1000,
        "message.timeout.ms": 120000,
    })
    sent = 0
    while not os.path.exists(stop_file):
        try:
            producer.produce(topic, value=str(sent), partition=0, on_delivery=delivered)
            sent += 1
        except BufferError:
            pass
        producer.poll(1 / float(rate))
    left = producer.flush(120)
    with open(acknowledged_file, "w", encoding="ascii") as out:
        out.writelines(f"{number}\n" for number in acknowledged)
    print(
        f"sent {sent}, acknowledged {len(acknowledged)}, failed {failed}, unanswered {left}, "
        f"longest time without an acknowledgement {longest:.2f} s"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
