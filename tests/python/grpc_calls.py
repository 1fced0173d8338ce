"""grpcio against a broker, with stubs that are generated from our own files.

grpc_calls.py PROTO_FOLDER ADDRESS    calls, streams, is refused, gives up and hangs up; prints `done`
"""

import pathlib
import sys
import tempfile

import grpc
from grpc_tools import protoc


def stubs(folder):
    """Generates and loads what a Python program would have generated beforehand."""
    out = tempfile.mkdtemp()
    root = pathlib.Path(folder)
    files = [str(path.relative_to(root)) for path in root.glob("*/**/*.proto")]
    status = protoc.main(["protoc", f"-I{folder}", f"--python_out={out}", f"--grpc_python_out={out}", *files])
    assert status == 0, "protoc reads the files"
    sys.path.insert(0, out)
    from rustmq.v1 import broker_pb2_grpc, errors_pb2, groups_pb2, records_pb2, topics_pb2

    return broker_pb2_grpc, errors_pb2, groups_pb2, records_pb2, topics_pb2


def main(folder, address):
    service, errors, groups, records, topics = stubs(folder)
    channel = grpc.insecure_channel(address)
    broker = service.KafkaBrokerStub(channel)

    made = broker.CreateTopics(topics.CreateTopicsRequest(topics=[topics.NewTopic(name="snakes", partitions=2)]))
    assert made.topics[0].partitions == 2

    def produce(*values, partition=0, topic="snakes"):
        batch = records.Records(records=[records.Record(value=value.encode()) for value in values])
        part = records.PartitionRecords(topic=topic, partition=partition, records=batch)
        return records.ProduceRequest(partitions=[part])

    assert broker.Produce(produce("one", "two")).partitions[0].base_offset == 0

    answers = broker.ProduceStream(produce(str(number), partition=1) for number in range(500))
    assert [answer.partitions[0].base_offset for answer in answers] == list(range(500))

    wanted = records.FetchPartition(topic="snakes", partition=0, offset=0)
    found = broker.Fetch(records.FetchRequest(partitions=[wanted])).partitions[0]
    assert [record.value for record in found.records] == [b"one", b"two"], found
    assert not found.records[0].HasField("key"), "no key is not an empty one"

    wanted = records.FetchPartition(topic="snakes", partition=1, offset=0)
    seen = []
    stream = broker.Subscribe(iter([records.SubscribeRequest(partitions=[wanted])]))
    for message in stream:
        seen += [int(record.value) for record in message.partitions[0].records]
        if len(seen) >= 500:
            stream.cancel()
            break
    assert seen == list(range(500))

    try:
        broker.Produce(produce("x", topic="nowhere"))
        raise AssertionError("there is no such topic")
    except grpc.RpcError as refused:
        assert refused.code() == grpc.StatusCode.NOT_FOUND, refused
        details = dict(refused.trailing_metadata())["grpc-status-details-bin"]
        assert b"UNKNOWN_TOPIC_OR_PARTITION" in details and b"rustmq.v1.Error" in details

    try:
        wanted = records.FetchPartition(topic="snakes", partition=0, offset=2)
        broker.Fetch(records.FetchRequest(partitions=[wanted], max_wait_ms=30_000), timeout=0.3)
        raise AssertionError("nothing comes")
    except grpc.RpcError as late:
        assert late.code() == grpc.StatusCode.DEADLINE_EXCEEDED, late

    broker.FindCoordinator(groups.FindCoordinatorRequest(group_id="charmers"))
    offset = groups.OffsetToCommit(topic="snakes", partition=0, offset=2)
    broker.CommitOffset(groups.CommitOffsetRequest(group_id="charmers", offsets=[offset]))
    told = broker.FetchOffset(groups.FetchOffsetRequest(group_id="charmers"))
    assert told.offsets[0].offset == 2

    assert broker.DescribeCluster(topics.DescribeClusterRequest()).nodes[0].port == int(address.split(":")[1])
    print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
