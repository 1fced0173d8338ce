// kafkajs. It has no consumer without a group, so reading is done as the only member of a group that nobody has.
'use strict'

const { readFileSync } = require('node:fs')
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = require('kafkajs')
const snappy = require('kafkajs-snappy')
const lz4 = require('lz4-napi')
const zstd = require('@bokuweb/zstd-wasm')
const { NotOffered, serve, say, record, until, sleep } = require('./stage.js')

// kafkajs brings gzip; the others are plugged in, as its documentation says.
CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer)
})
const ready = zstd.init()
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => { await ready; return Buffer.from(zstd.compress(encoder.buffer)) },
  decompress: async buffer => { await ready; return Buffer.from(zstd.decompress(buffer)) }
})
const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD
}

const kafka = new Kafka({
  clientId: 'interop',
  brokers: process.argv[2].split(','),
  logLevel: logLevel.ERROR,
  retry: { initialRetryTime: 100, maxRetryTime: 2000, retries: 20 }
})
const GROUP = { sessionTimeout: 6000, heartbeatInterval: 1000, rebalanceTimeout: 10000, maxWaitTimeInMs: 500 }

async function withAdmin (work) {
  const admin = kafka.admin()
  await admin.connect()
  try { return await work(admin) } finally { await admin.disconnect() }
}

// Reads `count` records as the only member of `groupId`. `commit` says whether what is read is committed.
async function readAs (groupId, topic, count, commit, start = async () => {}) {
  const consumer = kafka.consumer({ groupId, ...GROUP })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const read = []
  let failure = null
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      if (read.length >= count && commit) return
      read.push([partition, Number(message.offset), Number(message.key)])
      if (!commit) return
      await consumer.commitOffsets([{ topic, partition, offset: String(Number(message.offset) + 1) }])
        .catch(error => { failure = error })
    }
  })
  await start(consumer)
  await until(() => read.length >= count || failure, 40000)
  // What comes too often would come now.
  if (!commit) await sleep(200)
  await consumer.disconnect()
  if (failure) throw failure
  return read
}

let member = null

serve({
  version: async () => JSON.parse(readFileSync(require.resolve('kafkajs/package.json'))).version,

  create: (topic, partitions, replicas) => withAdmin(admin => admin.createTopics({
    topics: [{ topic, numPartitions: Number(partitions), replicationFactor: Number(replicas) }],
    waitForLeaders: true
  })).then(() => null),

  describe: topic => withAdmin(async admin => {
    const { topics: [found] } = await admin.fetchTopicMetadata({ topics: [topic] })
    return [found.partitions.length, found.partitions[0].replicas.length]
  }),

  produce: async (topic, codec, mode, first, count, pause) => {
    const idempotent = mode === 'idempotent'
    const producer = kafka.producer({ idempotent, maxInFlightRequests: idempotent ? 1 : undefined })
    await producer.connect()
    const last = Number(first) + Number(count)
    // A batch is what is handed over at once, each awaited, so that numbers stay in order.
    const batch = Number(pause) ? 10 : 50
    for (let number = Number(first); number < last; number += batch) {
      const messages = Array.from({ length: Math.min(batch, last - number) }, (_, at) => record(number + at))
      await producer.send({ topic, compression: CODECS[codec], acks: -1, messages })
      await sleep(Number(pause) * batch)
    }
    await producer.disconnect()
    return Number(count)
  },

  consume: (topic, count) => readAs(`${topic}-${process.pid}-${Date.now()}`, topic, Number(count), false),

  since: async (topic, millis, count) => {
    const offsets = await withAdmin(admin => admin.fetchTopicOffsetsByTimestamp(topic, Number(millis)))
    return readAs(`${topic}-${process.pid}-since`, topic, Number(count), false, async consumer => {
      for (const { partition, offset } of offsets) consumer.seek({ topic, partition, offset })
    })
  },

  read: (group, topic, count) => readAs(group, topic, Number(count), true),

  configs: topic => withAdmin(async admin => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }]
    })
    return Object.fromEntries(resources[0].configEntries.map(entry => [entry.configName, entry.configValue]))
  }),

  alter: (topic, name, value) => withAdmin(admin => admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name, value }] }]
  })).then(() => null),

  delete: topic => withAdmin(admin => admin.deleteTopics({ topics: [topic] })).then(() => null),

  member: async (groupId, topic) => {
    member = kafka.consumer({ groupId, ...GROUP })
    await member.connect()
    await member.subscribe({ topics: [topic], fromBeginning: true })
    await member.run({
      autoCommitThreshold: 1,
      eachMessage: async ({ partition, message }) => {
        say({ record: [partition, Number(message.offset), Number(message.key)] })
      }
    })
  },

  leave: async () => {
    if (!member) throw new NotOffered('it is no member')
    await member.disconnect()
    return null
  }
})
