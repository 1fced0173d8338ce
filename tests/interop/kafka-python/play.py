"""kafka-python, a client of its own in pure Python."""

import sys
from pathlib import Path

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

sys.path.insert(0, str(Path(__file__).parent.parent))
import stage  # noqa: E402

BOOTSTRAP = sys.argv[1].split(",")


def administer(work):
    admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    try:
        return work(admin)
    finally:
        admin.close()


def version():
    return kafka.__version__


def create(topic, partitions, replicas):
    administer(lambda admin: admin.create_topics([NewTopic(topic, int(partitions), int(replicas))]) and None)


def describe(topic):
    [found] = administer(lambda admin: admin.describe_topics([topic]))
    return [len(found["partitions"]), len(found["partitions"][0]["replica_nodes"])]


def produce(topic, codec, mode, first, count, pause):
    producer = KafkaProducer(
        bootstrap_servers=BOOTSTRAP,
        compression_type=None if codec == "none" else codec,
        enable_idempotence=mode == "idempotent",
        acks="all",
        max_in_flight_requests_per_connection=5 if mode == "idempotent" else 1,
        linger_ms=20,
    )
    sent = []
    for number in stage.numbers(first, count, pause):
        key, value = stage.record(number)
        sent.append(producer.send(topic, value, key))
    producer.flush(stage.PATIENCE)
    for one in sent:
        one.get(timeout=stage.PATIENCE)
    producer.close()
    return len(sent)


def polled(reader, most=50):
    batches = reader.poll(timeout_ms=200, max_records=most)
    return [record for batch in batches.values() for record in batch]


def seen(record):
    return record.partition, record.offset, int(record.key)


def assigned(topic, count, begin):
    reader = KafkaConsumer(bootstrap_servers=BOOTSTRAP, enable_auto_commit=False)
    partitions = [TopicPartition(topic, number) for number in sorted(reader.partitions_for_topic(topic))]
    reader.assign(partitions)
    begin(reader, partitions)
    read = stage.until(int(count), lambda: [seen(record) for record in polled(reader)], linger=0.2)
    reader.close()
    return read


def consume(topic, count):
    return assigned(topic, count, lambda reader, all: reader.seek_to_beginning(*all))


def since(topic, millis, count):
    def begin(reader, all):
        found = reader.offsets_for_times({partition: int(millis) for partition in all})
        ends = reader.end_offsets(all)
        for partition in all:
            at = found[partition].offset if found[partition] else ends[partition]
            reader.seek(partition, at)

    return assigned(topic, count, begin)


def consumer(group, topic):
    return KafkaConsumer(
        topic,
        bootstrap_servers=BOOTSTRAP,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=6000,
        heartbeat_interval_ms=1000,
    )


def read(group, topic, count):
    reader = consumer(group, topic)

    def poll():
        records = polled(reader, 1)
        for record in records:
            at = OffsetAndMetadata(record.offset + 1, "", -1)
            reader.commit({TopicPartition(topic, record.partition): at})
        return [seen(record) for record in records]

    found = stage.until(int(count), poll)
    reader.close()
    return found


def configs(topic):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    found = administer(lambda admin: admin.describe_configs([resource], config_filter="all"))
    return {name: config["value"] for name, config in found["topic"][topic].items()}


def alter(topic, name, value):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={name: value})
    administer(lambda admin: admin.alter_configs([resource]) and None)


def delete(topic):
    administer(lambda admin: admin.delete_topics([topic]) and None)


def member(stop, group, topic):
    reader = consumer(group, topic)
    while not stop.is_set():
        records = polled(reader)
        yield from map(seen, records)
        if records:
            try:
                reader.commit()
            except KafkaError as error:
                # Of a rebalance: what was not committed comes again.
                print("commit:", error, file=sys.stderr)
    reader.close()


stage.serve(globals())
