"""confluent-kafka (the newest librdkafka) against a broker.

confluent.py produce BOOTSTRAP TOPIC COUNT CODEC    produces value-0 to value-(COUNT-1), idempotent, and
                                                    prints how many were acknowledged
confluent.py consume BOOTSTRAP TOPIC COUNT          reads by assignment from the beginning, a value a line
confluent.py admin BOOTSTRAP TOPIC                  creates, describes and deletes a topic
"""

import sys
import time

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic


def produce(bootstrap, topic, count, codec):
    acknowledged = 0

    def delivered(error, message):
        nonlocal acknowledged
        if error is None:
            acknowledged += 1
        else:
            print(f"not delivered: {error}", file=sys.stderr)

    producer = Producer({
        "bootstrap.servers": bootstrap,
        "compression.type": codec,
        "enable.idempotence": True,
        "linger.ms": 20,
    })
    for number in range(int(count)):
        producer.produce(topic, value=f"value-{number}", headers={"number": str(number)}, on_delivery=delivered)
        producer.poll(0)
    left = producer.flush(40)
    print(acknowledged)
    return left == 0


def consume(bootstrap, topic, count):
    # librdkafka wants a group's name even where nobody joins it.
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    deadline = time.monotonic() + 40
    seen = 0
    while seen < int(count) and time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error() is not None:
            print(f"while consuming: {message.error()}", file=sys.stderr)
            continue
        assert message.offset() == seen, f"offset {message.offset()} where {seen} was due"
        seen += 1
        print(message.value().decode())
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    assert (low, high) == (0, seen), f"watermarks {low} and {high} after {seen} records"
    consumer.close()
    return seen == int(count)


def settings(client, resource, name, value):
    def told():
        return client.describe_configs([resource])[resource].result(20)[name]

    before = told()
    change = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    changed = ConfigResource(resource.restype, resource.name, incremental_configs=[change])
    client.incremental_alter_configs([changed])[changed].result(20)
    assert told().value == value and not told().is_default, told()
    # The older way reads all, changes one and writes all back.
    whole = ConfigResource(resource.restype, resource.name, set_config={name: before.value})
    client.alter_configs([whole])[whole].result(20)
    assert told().value == before.value, told()
    wrong = ConfigEntry("no.such.setting", "1", incremental_operation=AlterConfigOpType.SET)
    changed = ConfigResource(resource.restype, resource.name, incremental_configs=[wrong])
    try:
        client.incremental_alter_configs([changed])[changed].result(20)
        raise AssertionError("a setting that there is not was set")
    except KafkaException as refused:
        assert "no.such.setting" in str(refused), refused


def admin(bootstrap, topic):
    client = AdminClient({"bootstrap.servers": bootstrap})
    for future in client.create_topics([NewTopic(topic, num_partitions=3, replication_factor=1)]).values():
        future.result(20)
    described = client.list_topics(timeout=20)
    assert len(described.topics[topic].partitions) == 3, described.topics[topic]
    assert described.cluster_id, "a cluster has an id"
    cluster = client.describe_cluster().result(20)
    assert cluster.cluster_id == described.cluster_id, (cluster.cluster_id, described.cluster_id)
    settings(client, ConfigResource(ConfigResource.Type.TOPIC, topic), "retention.ms", "12345")
    settings(client, ConfigResource(ConfigResource.Type.BROKER, "1"), "log.retention.ms", "23456")
    for future in client.delete_topics([topic]).values():
        future.result(20)
    deadline = time.monotonic() + 20
    while topic in client.list_topics(timeout=20).topics:
        assert time.monotonic() < deadline, "the topic is still listed"
        time.sleep(0.1)
    return True


def group(bootstrap, topic, name, count):
    """Three consumers share a topic of three partitions; one leaves, and the others read on."""
    consumers = [consumer_of(bootstrap, name) for _ in range(3)]
    for consumer in consumers:
        # What one has read before others came is not read again by those.
        consumer.subscribe([topic], on_revoke=commit_what_was_read)
    read = gathered(consumers, int(count), [1, 1, 1])
    for consumer in consumers:
        consumer.commit(asynchronous=False)
    consumers.pop().close()
    read += gathered(consumers, 0, [1, 2])
    for consumer in consumers:
        consumer.close()
    print(len(read), len(set(read)))
    return True


def commit_what_was_read(consumer, _partitions):
    """As whoever wants each record once does before partitions go to others."""
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() != KafkaError._NO_OFFSET:
            raise


def gathered(consumers, count, shares):
    """What they read until they have so much and so many partitions each."""
    read = []
    deadline = time.monotonic() + 40
    while len(read) < count or sorted(len(one.assignment()) for one in consumers) != shares:
        assert time.monotonic() < deadline, (len(read), [one.assignment() for one in consumers])
        for consumer in consumers:
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                read.append((message.partition(), message.offset()))
    return read


def consumer_of(bootstrap, name):
    return Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": name,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500,
    })


def member(bootstrap, topic, name):
    """A member that says when it has partitions, commits what it reads, and ends when it is killed."""
    consumer = consumer_of(bootstrap, name)
    consumer.subscribe([topic], on_assign=lambda _, given: print("has", len(given), flush=True))
    while True:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            consumer.commit(message, asynchronous=False)
            print("committed", message.partition(), message.offset() + 1, flush=True)


def committed(bootstrap, topic, name):
    """How far a group has come, all partitions together."""
    consumer = consumer_of(bootstrap, name)
    places = consumer.committed([TopicPartition(topic, number) for number in range(3)], timeout=20)
    print(sum(max(place.offset, 0) for place in places))
    consumer.close()
    return True


if __name__ == "__main__":
    verbs = {"produce": produce, "consume": consume, "admin": admin, "group": group, "member": member,
             "committed": committed}
    verb = verbs[sys.argv[1]]
    sys.exit(0 if verb(*sys.argv[2:]) else 1)
