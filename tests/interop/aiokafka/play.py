"""aiokafka, kafka-python's asynchronous sister."""

import asyncio
import sys
from pathlib import Path

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

sys.path.insert(0, str(Path(__file__).parent.parent))
import stage  # noqa: E402

BOOTSTRAP = sys.argv[1].split(",")


def administer(work):
    async def within():
        admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
        await admin.start()
        try:
            return await work(admin)
        finally:
            await admin.close()

    return asyncio.run(within())


def fine(codes):
    """Its administrator hands out answers as they are."""
    for code in codes:
        if code:
            raise for_code(code)()


def version():
    return aiokafka.__version__


def create(topic, partitions, replicas):
    new = NewTopic(topic, int(partitions), int(replicas))
    answer = administer(lambda admin: admin.create_topics([new]))
    fine(one[1] for one in answer.topic_errors)


def describe(topic):
    [found] = administer(lambda admin: admin.describe_topics([topic]))
    fine([found["error_code"]])
    return [len(found["partitions"]), len(found["partitions"][0]["replicas"])]


def produce(topic, codec, mode, first, count, pause):
    async def within():
        producer = AIOKafkaProducer(
            bootstrap_servers=BOOTSTRAP,
            compression_type=None if codec == "none" else codec,
            enable_idempotence=mode == "idempotent",
            acks="all",
            linger_ms=20,
        )
        await producer.start()
        try:
            sent = []
            for number in range(int(first), int(first) + int(count)):
                key, value = stage.record(number)
                sent.append(await producer.send(topic, value, key))
                await asyncio.sleep(int(pause) / 1000)
            await asyncio.wait_for(asyncio.gather(*sent), stage.PATIENCE)
            return len(sent)
        finally:
            await producer.stop()

    return asyncio.run(within())


def seen(record):
    return record.partition, record.offset, int(record.key)


async def polled(reader, most=50):
    batches = await reader.getmany(timeout_ms=200, max_records=most)
    return [record for batch in batches.values() for record in batch]


async def until(count, poll, linger=0.0):
    """As `stage.until`, of a `poll` that is awaited."""
    read, loop = [], asyncio.get_running_loop()
    deadline = loop.time() + stage.PATIENCE
    while len(read) < int(count) and loop.time() < deadline:
        read += await poll()
    deadline = loop.time() + linger
    while loop.time() < deadline:
        read += await poll()
    return read


def assigned(topic, count, begin):
    async def within():
        # Without one its partitions are not known before something is sent.
        reader = AIOKafkaConsumer(topic, bootstrap_servers=BOOTSTRAP, enable_auto_commit=False)
        await reader.start()
        try:
            partitions = [TopicPartition(topic, one) for one in sorted(reader.partitions_for_topic(topic))]
            reader.unsubscribe()
            reader.assign(partitions)
            await begin(reader, partitions)

            async def poll():
                return [seen(record) for record in await polled(reader)]

            return await until(count, poll, linger=0.2)
        finally:
            await reader.stop()

    return asyncio.run(within())


def consume(topic, count):
    async def begin(reader, all):
        await reader.seek_to_beginning(*all)

    return assigned(topic, count, begin)


def since(topic, millis, count):
    async def begin(reader, all):
        found = await reader.offsets_for_times({partition: int(millis) for partition in all})
        ends = await reader.end_offsets(all)
        for partition in all:
            reader.seek(partition, found[partition].offset if found[partition] else ends[partition])

    return assigned(topic, count, begin)


def consumer(group, topic):
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=BOOTSTRAP,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=6000,
        heartbeat_interval_ms=1000,
    )


def read(group, topic, count):
    async def within():
        reader = consumer(group, topic)
        await reader.start()

        async def poll():
            records = await polled(reader, 1)
            for record in records:
                await reader.commit({TopicPartition(topic, record.partition): record.offset + 1})
            return [seen(record) for record in records]

        try:
            return await until(count, poll)
        finally:
            await reader.stop()

    return asyncio.run(within())


def configs(topic):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    [answer] = administer(lambda admin: admin.describe_configs([resource]))
    [(code, _, _, _, entries)] = answer.resources
    fine([code])
    return {entry[0]: entry[1] for entry in entries}


def alter(topic, name, value):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={name: value})
    [answer] = administer(lambda admin: admin.alter_configs([resource]))
    fine(one[0] for one in answer.resources)


def delete(topic):
    answer = administer(lambda admin: admin.delete_topics([topic]))
    fine(one[1] for one in answer.topic_error_codes)


def member(stop, group, topic):
    loop = asyncio.new_event_loop()
    reader = loop.run_until_complete(started(group, topic))
    while not stop.is_set():
        records = loop.run_until_complete(polled(reader))
        yield from map(seen, records)
        if records:
            try:
                loop.run_until_complete(reader.commit())
            except KafkaError as error:
                # Of a rebalance: what was not committed comes again.
                print("commit:", error, file=sys.stderr)
    loop.run_until_complete(reader.stop())


async def started(group, topic):
    reader = consumer(group, topic)
    await reader.start()
    return reader


stage.serve(globals())
