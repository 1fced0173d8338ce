// @platformatic/kafka. It reads as a member of a group only; the third argument is the group protocol: classic or
// consumer (KIP-848).
'use strict'

const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { zstdCompressSync } = require('node:zlib')
const { NotOffered, serve, say, record, sleep } = require('./stage.js')

// It is an ECMAScript module.
const library = import('@platformatic/kafka')

const BASE = { clientId: 'interop', bootstrapBrokers: process.argv[2].split(','), retries: 30, retryDelay: 200 }
const GROUP = process.argv[3] === 'consumer'
  ? { groupProtocol: 'consumer' }
  : { sessionTimeout: 6000, heartbeatInterval: 1000, rebalanceTimeout: 10000 }
const TOPIC = 2
const SET = 0

async function withAdmin (work) {
  const { Admin } = await library
  const admin = new Admin(BASE)
  try { return await work(admin) } finally { await admin.close() }
}

async function member (groupId) {
  const { Consumer, stringDeserializers } = await library
  return new Consumer({ ...BASE, ...GROUP, groupId, deserializers: stringDeserializers, maxWaitTime: 500 })
}

function seen (message) {
  return [message.partition, Number(message.offset), Number(message.key)]
}

// The innermost of the errors within an error.
function reason (error) {
  const within = error.errors?.at(-1) ?? error.cause
  return within ? `${error.message} ${reason(within)}` : error.message
}

// Reads `count` records as the only member of `groupId`.
async function readAs (groupId, topic, count, commit, where) {
  const consumer = await member(groupId)
  const read = []
  const stream = await consumer.consume({ topics: [topic], autocommit: false, ...await where(consumer) })
  let timer = setTimeout(() => stream.close(), 40000)
  try {
    for await (const message of stream) {
      read.push(seen(message))
      if (commit) {
        await message.commit()
        if (read.length === count) break
      } else if (read.length === count) {
        // What comes too often would come now.
        clearTimeout(timer)
        timer = setTimeout(() => stream.close(), 300)
      }
    }
  } finally {
    clearTimeout(timer)
    await consumer.close(true)
  }
  return read
}

async function offsetsAt (consumer, topic, millis) {
  const times = await consumer.listOffsetsWithTimestamps({ topics: [topic], timestamp: BigInt(millis) })
  const ends = await consumer.listOffsets({ topics: [topic] })
  return ends.get(topic).map((end, partition) => {
    const found = times.get(topic)?.get(partition)?.offset ?? -1n
    return { topic, partition, offset: found < 0n ? end : found }
  })
}

let present = null

serve({
  version: async () => JSON.parse(readFileSync(join(__dirname, 'node_modules/@platformatic/kafka/package.json'))).version,

  create: (topic, partitions, replicas) => withAdmin(admin =>
    admin.createTopics({ topics: [topic], partitions: Number(partitions), replicas: Number(replicas) })
  ).then(() => null),

  describe: topic => withAdmin(async admin => {
    const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true })
    const { partitions } = topics.get(topic)
    return [partitions.length, partitions[0].replicas.length]
  }),

  produce: async (topic, codec, mode, first, count, pause) => {
    const { Producer, stringSerializers, ProduceAcks } = await library
    if (codec === 'zstd' && !zstdCompressSync) {
      throw new NotOffered(`its zstd is Node's, which ${process.version} does not have`)
    }
    const idempotent = mode === 'idempotent'
    const producer = new Producer({ ...BASE, serializers: stringSerializers, idempotent })
    const last = Number(first) + Number(count)
    // A batch is what is handed over at once, each awaited, so that numbers stay in order.
    const batch = Number(pause) ? 10 : 50
    try {
      for (let number = Number(first); number < last; number += batch) {
        const length = Math.min(batch, last - number)
        const messages = Array.from({ length }, (_, at) => ({ topic, ...record(number + at) }))
        await producer.send({ messages, compression: codec, acks: ProduceAcks.ALL })
        await sleep(Number(pause) * batch)
      }
    } finally {
      await producer.close()
    }
    return Number(count)
  },

  consume: (topic, count) => readAs(`${topic}-${process.pid}-${Date.now()}`, topic, Number(count), false,
    async () => ({ mode: 'earliest' })),

  since: (topic, millis, count) => readAs(`${topic}-${process.pid}-since`, topic, Number(count), false,
    async consumer => ({ mode: 'manual', offsets: await offsetsAt(consumer, topic, millis) })),

  read: (group, topic, count) => readAs(group, topic, Number(count), true,
    async () => ({ mode: 'committed', fallbackMode: 'earliest', highWaterMark: 1 })),

  configs: topic => withAdmin(async admin => {
    const [found] = await admin.describeConfigs({ resources: [{ resourceType: TOPIC, resourceName: topic }] })
    return Object.fromEntries(found.configs.map(({ name, value }) => [name, value]))
  }),

  alter: (topic, name, value) => withAdmin(admin => admin.incrementalAlterConfigs({
    resources: [{ resourceType: TOPIC, resourceName: topic, configs: [{ name, value, configOperation: SET }] }]
  })).then(() => null),

  delete: topic => withAdmin(admin => admin.deleteTopics({ topics: [topic] })).then(() => null),

  member: async (groupId, topic) => {
    const consumer = await member(groupId)
    const heard = error => console.error('member:', reason(error))
    consumer.on('error', heard)
    present = { consumer, stream: null, leaves: false }
    const read = async () => {
      while (!present.leaves) {
        try {
          present.stream = await consumer.consume({
            topics: [topic], autocommit: false, mode: 'committed', fallbackMode: 'earliest'
          })
          for await (const message of present.stream) {
            say({ record: seen(message) })
            // Of a rebalance: what was not committed comes again.
            await message.commit().catch(heard)
          }
        } catch (error) {
          // A stream ends with an error when a broker is gone; another one goes on where it was.
          heard(error)
          await sleep(200)
        }
      }
    }
    present.end = read()
  },

  leave: async () => {
    present.leaves = true
    await present.stream.close()
    await present.end
    await present.consumer.close(true)
    return null
  }
})
