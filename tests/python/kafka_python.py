"""kafka-python (a client with its own implementation of the protocol) against a broker.

The same verbs and arguments as confluent.py.
"""

import sys
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic


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


def admin(bootstrap, topic):
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    client.create_topics([NewTopic(topic, num_partitions=3, replication_factor=1)])
    assert topic in client.list_topics(), client.list_topics()
    client.delete_topics([topic])
    deadline = time.monotonic() + 20
    while topic in client.list_topics():
        assert time.monotonic() < deadline, "the topic is still listed"
        time.sleep(0.1)
    client.close()
    return True


if __name__ == "__main__":
    verb = {"produce": produce, "consume": consume, "admin": admin}[sys.argv[1]]
    sys.exit(0 if verb(*sys.argv[2:]) else 1)
