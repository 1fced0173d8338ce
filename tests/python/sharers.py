"""Members of a consumer group (KIP-848) by confluent-kafka, `group.protocol=consumer`.

sharers.py share BOOTSTRAP TOPIC GROUP COUNT    three share a topic of three partitions and commit; one leaves
sharers.py resume BOOTSTRAP TOPIC GROUP COUNT   one reads on from what was committed
sharers.py pattern BOOTSTRAP PREFIX GROUP       one subscribes by a pattern; a topic is made that it means, too
sharers.py change BOOTSTRAP TOPIC GROUP COUNT   a group of the classic protocol is changed over one by one, and back
"""

import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


def share(bootstrap, topic, group, count):
    make(bootstrap, topic, 3)
    consumers = [consumer_of(bootstrap, group, [topic]) for _ in range(3)]
    # First they share, then there is something to read: who gives something up has read nothing of it.
    gathered(consumers, 0, [1, 1, 1])
    produce(bootstrap, topic, 3, 0, int(count))
    read = gathered(consumers, int(count), [1, 1, 1])
    for consumer in consumers:
        consumer.commit(asynchronous=False)
    consumers.pop().close()
    read += gathered(consumers, 0, [1, 2])
    described = describe(bootstrap, group)
    print(len(read), len(set(read)), described.type.name, described.partition_assignor, len(described.members))
    for consumer in consumers:
        consumer.close()


def resume(bootstrap, topic, group, count):
    produce(bootstrap, topic, 3, int(count), 3)
    consumer = consumer_of(bootstrap, group, [topic])
    read = gathered([consumer], 3, [3])
    places = consumer.committed([TopicPartition(topic, number) for number in range(3)], timeout=20)
    print(len(read), sum(place.offset for place in places))
    consumer.close()


def pattern(bootstrap, prefix, group):
    make(bootstrap, prefix + "a", 2)
    consumer = consumer_of(bootstrap, group, [f"^{prefix}.*"])
    gathered([consumer], 0, [2])
    make(bootstrap, prefix + "b", 3)
    gathered([consumer], 0, [5])
    print(sorted(f"{one.topic}-{one.partition}" for one in consumer.assignment()))
    consumer.close()


def change(bootstrap, topic, group, count):
    count = int(count)
    make(bootstrap, topic, 2)
    kinds, read = [], []

    def read_on(consumers, shares):
        """First they share, then there is something to read: who gives something up has committed it."""
        gathered(consumers, 0, shares)
        produce(bootstrap, topic, 2, len(read), count)
        read.extend(gathered(consumers, count, shares))
        for consumer in consumers:
            consumer.commit(asynchronous=False)
        kinds.append(describe(bootstrap, group).type.name)

    first = consumer_of(bootstrap, group, [topic], "classic")
    read_on([first], [2])
    second = consumer_of(bootstrap, group, [topic])
    read_on([first, second], [1, 1])
    first.close()
    read_on([second], [2])
    third = consumer_of(bootstrap, group, [topic], "classic")
    read_on([second, third], [1, 1])
    second.close()
    read_on([third], [2])
    third.close()
    print(len(read), len(set(read)), *kinds)


def describe(bootstrap, group):
    # A client that nobody holds takes what it was asked for with it.
    admin = AdminClient({"bootstrap.servers": bootstrap})
    return admin.describe_consumer_groups([group])[group].result()


def make(bootstrap, topic, partitions):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        made.result()


def produce(bootstrap, topic, partitions, first, count):
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in range(first, first + count):
        producer.produce(topic, f"value-{number}".encode(), partition=number % partitions)
    assert producer.flush(20) == 0


def consumer_of(bootstrap, group, topics, protocol="consumer"):
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "topic.metadata.refresh.interval.ms": 1000,
    })
    consumer.subscribe(topics)
    return consumer


def gathered(consumers, count, shares):
    """What they read until they have so much and so many partitions each."""
    read = []
    deadline = time.monotonic() + 60
    while len(read) < count or sorted(len(one.assignment()) for one in consumers) != shares:
        assert time.monotonic() < deadline, (len(read), [one.assignment() for one in consumers])
        for consumer in consumers:
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                read.append((message.topic(), message.partition(), message.offset()))
    return read


if __name__ == "__main__":
    {"share": share, "resume": resume, "pattern": pattern, "change": change}[sys.argv[1]](*sys.argv[2:])
