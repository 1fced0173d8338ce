// @grpc/grpc-js against a broker, by our own files, which it reads as they are.
//
// node grpc_calls.js PROTO_FOLDER ADDRESS    calls, streams and is refused; prints `done`

const assert = require('node:assert');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [folder, address] = process.argv.slice(2);
const files = loader.loadSync('rustmq/v1/broker.proto', { includeDirs: [folder], longs: Number, enums: String, defaults: true });
const { KafkaBroker } = grpc.loadPackageDefinition(files).rustmq.v1;
const broker = new KafkaBroker(address, grpc.credentials.createInsecure());

const call = (name, request) => new Promise((done, fail) => {
  broker[name](request, (error, answer) => (error ? fail(error) : done(answer)));
});

const produce = (topic, value) => ({
  partitions: [{ topic, partition: 0, records: { records: [{ value: Buffer.from(value) }] } }],
});

async function main() {
  const made = await call('CreateTopics', { topics: [{ name: 'knots', partitions: 1 }] });
  assert.equal(made.topics[0].partitions, 1);
  const produced = await call('Produce', produce('knots', 'first'));
  assert.equal(produced.partitions[0].baseOffset, 0);

  await new Promise((done, fail) => {
    const stream = broker.ProduceStream();
    const offsets = [];
    stream.on('data', (answer) => offsets.push(answer.partitions[0].baseOffset));
    stream.on('error', fail);
    stream.on('end', () => {
      assert.deepEqual(offsets, Array.from({ length: 100 }, (_, number) => number + 1));
      done();
    });
    for (let number = 0; number < 100; number += 1) stream.write(produce('knots', String(number)));
    stream.end();
  });

  await new Promise((done, fail) => {
    const stream = broker.Subscribe();
    let seen = 0;
    stream.on('data', (message) => {
      seen += message.partitions[0].records.length;
      if (seen >= 101) stream.cancel();
    });
    stream.on('error', (error) => (error.code === grpc.status.CANCELLED && seen === 101 ? done() : fail(error)));
    stream.write({ partitions: [{ topic: 'knots', partition: 0, offset: 0 }], creditBytes: 1 << 20 });
  });

  await assert.rejects(call('Produce', produce('nowhere', 'x')), (error) => {
    assert.equal(error.code, grpc.status.NOT_FOUND);
    assert.match(error.message, /UNKNOWN_TOPIC_OR_PARTITION/);
    assert(error.metadata.get('grpc-status-details-bin').length === 1);
    return true;
  });
  broker.close();
  console.log('done');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
