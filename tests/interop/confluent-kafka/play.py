"""confluent-kafka, which is librdkafka. The second argument is the group protocol: classic or consumer (KIP-848)."""

import sys
from pathlib import Path

import confluent_kafka
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

sys.path.insert(0, str(Path(__file__).parent.parent))
import stage  # noqa: E402

BOOTSTRAP, PROTOCOL = sys.argv[1], sys.argv[2]
ADMIN = AdminClient({"bootstrap.servers": BOOTSTRAP})


def done(futures):
    for future in futures.values():
        future.result(timeout=stage.PATIENCE)


def version():
    return f"{confluent_kafka.version()} (librdkafka {confluent_kafka.libversion()[0]})"


def create(topic, partitions, replicas):
    done(ADMIN.create_topics([NewTopic(topic, int(partitions), int(replicas))]))


def describe(topic):
    partitions = ADMIN.list_topics(topic, timeout=10).topics[topic].partitions
    return [len(partitions), len(partitions[0].replicas)]


def produce(topic, codec, mode, first, count, pause):
    producer = Producer({
        "bootstrap.servers": BOOTSTRAP,
        "compression.type": codec,
        "enable.idempotence": mode == "idempotent",
        "max.in.flight": 5 if mode == "idempotent" else 1,
        "linger.ms": 20,
    })
    acknowledged, failures = [], []

    def delivered(error, message):
        (failures if error else acknowledged).append(error or message)

    for number in stage.numbers(first, count, pause):
        key, value = stage.record(number)
        producer.produce(topic, value, key, callback=delivered)
        producer.poll(0)
    producer.flush(stage.PATIENCE)
    if failures:
        raise confluent_kafka.KafkaException(failures[0])
    return len(acknowledged)


def consumer(group, **more):
    settings = {
        "bootstrap.servers": BOOTSTRAP,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    if PROTOCOL == "consumer":
        settings["group.protocol"] = "consumer"
    else:
        settings |= {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000}
    return Consumer(settings | more)


def polled(reader, most=50):
    messages = reader.consume(most, timeout=0.2)
    for message in messages:
        if message.error():
            raise confluent_kafka.KafkaException(message.error())
    return messages


def seen(message):
    return message.partition(), message.offset(), int(message.key())


def assigned(topic, places, count):
    reader = consumer("nobody")
    reader.assign(places(reader, list(ADMIN.list_topics(topic, timeout=10).topics[topic].partitions)))
    read = stage.until(int(count), lambda: [seen(message) for message in polled(reader)], linger=0.2)
    reader.close()
    return read


def consume(topic, count):
    return assigned(topic, lambda _, all: [TopicPartition(topic, one, 0) for one in all], count)


def since(topic, millis, count):
    def places(reader, all):
        return reader.offsets_for_times([TopicPartition(topic, one, int(millis)) for one in all], timeout=10)

    return assigned(topic, places, count)


def read(group, topic, count):
    reader = consumer(group)
    reader.subscribe([topic])

    def poll():
        messages = polled(reader, 1)
        for message in messages:
            reader.commit(message, asynchronous=False)
        return [seen(message) for message in messages]

    found = stage.until(int(count), poll)
    reader.close()
    return found


def configs(topic):
    [future] = ADMIN.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return {name: entry.value for name, entry in future.result(timeout=10).items()}


def alter(topic, name, value):
    change = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    done(ADMIN.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[change])]))


def delete(topic):
    done(ADMIN.delete_topics([topic]))


def member(stop, group, topic):
    reader = consumer(group)
    reader.subscribe([topic])
    while not stop.is_set():
        messages = polled(reader)
        yield from map(seen, messages)
        if messages:
            try:
                reader.commit(asynchronous=False)
            except confluent_kafka.KafkaException as error:
                # Of a rebalance: what was not committed comes again.
                print("commit:", error, file=sys.stderr)
    reader.close()


stage.serve(globals())
