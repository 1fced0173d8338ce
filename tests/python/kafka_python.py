"""kafka-python (a client with its own implementation of the protocol) against a broker.

The same verbs and arguments as confluent.py.
"""

import sys
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic


def produce(bootstrap, topic, count, codec):
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        compression_type=None if codec == "none" else codec,
        linger_ms=20,
    )
    sent = [
        producer.send(topic, value=f"value-{number}".encode(), headers=[("number", str(number).encode())])
        for number in range(int(count))
    ]
    producer.flush(timeout=40)
    offsets = [future.get(timeout=40).offset for future in sent]
    assert offsets == sorted(set(offsets)), "offsets rise"
    print(len(offsets))
    producer.close()
    return True


def consume(bootstrap, topic, count):
    partition = TopicPartition(topic, 0)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    deadline = time.monotonic() + 40
    seen = 0
    while seen < int(count) and time.monotonic() < deadline:
        for messages in consumer.poll(timeout_ms=1000).values():
            for message in messages:
                assert message.offset == seen, f"offset {message.offset} where {seen} was due"
                seen += 1
                print(message.value.decode())
    end = consumer.end_offsets([partition])[partition]
    assert end == seen, f"the end is {end} after {seen} records"
    consumer.close()
    return seen == int(count)


def settings(client, kind, name, setting, value):
    def told():
        all_there_are = client.describe_configs([ConfigResource(kind, name)], config_filter="all")
        return all_there_are[kind.name.lower()][name][setting]["value"]

    before = told()
    client.alter_configs([ConfigResource(kind, name, {setting: value})])
    assert told() == value, told()
    client.alter_configs([ConfigResource(kind, name, {setting: before})])
    assert told() == before, told()


def admin(bootstrap, topic):
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    client.create_topics([NewTopic(topic, num_partitions=3, replication_factor=1)])
    assert topic in client.list_topics(), client.list_topics()
    settings(client, ConfigResourceType.TOPIC, topic, "retention.ms", "12345")
    settings(client, ConfigResourceType.BROKER, "1", "log.retention.ms", "23456")
    client.delete_topics([topic])
    deadline = time.monotonic() + 20
    while topic in client.list_topics():
        assert time.monotonic() < deadline, "the topic is still listed"
        time.sleep(0.1)
    client.close()
    return True


def group(bootstrap, topic, name, count):
    """Three consumers share a topic of three partitions; one leaves, and the others read on."""
    consumers = [consumer_of(bootstrap, name) for _ in range(3)]
    for consumer in consumers:
        consumer.subscribe([topic])
    # What one has read before the others came counts for nothing: nothing is committed yet.
    gathered(consumers, 0, [1, 1, 1])
    for consumer in consumers:
        consumer.seek_to_beginning()
    read = gathered(consumers, int(count), [1, 1, 1])
    for consumer in consumers:
        consumer.commit()
    consumers.pop().close(autocommit=False)
    read += gathered(consumers, 0, [1, 2])
    for consumer in consumers:
        consumer.close(autocommit=False)
    print(len(read), len(set(read)))
    return True


def gathered(consumers, count, shares):
    """What they read until they have so much and so many partitions each."""
    read = []
    deadline = time.monotonic() + 40
    while len(read) < count or sorted(len(one.assignment()) for one in consumers) != shares:
        assert time.monotonic() < deadline, (len(read), [one.assignment() for one in consumers])
        for consumer in consumers:
            for partition, messages in consumer.poll(timeout_ms=50).items():
                read += [(partition.partition, message.offset) for message in messages]
    return read


def consumer_of(bootstrap, name):
    return KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=name,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=6000,
        heartbeat_interval_ms=500,
    )


def committed(bootstrap, topic, name):
    """How far a group has come, all partitions together; and what an administrator is told of it."""
    consumer = consumer_of(bootstrap, name)
    places = [consumer.committed(TopicPartition(topic, number)) or 0 for number in range(3)]
    print(sum(places))
    consumer.close()
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    listed = client.list_groups()
    assert any(name in str(group) for group in listed), listed
    described = client.describe_groups([name])
    assert "Empty" in str(described), described
    client.delete_groups([name])
    assert not any(name in str(group) for group in client.list_groups()), client.list_groups()
    client.close()
    return True


if __name__ == "__main__":
    verbs = {"produce": produce, "consume": consume, "admin": admin, "group": group, "committed": committed}
    verb = verbs[sys.argv[1]]
    sys.exit(0 if verb(*sys.argv[2:]) else 1)
