// What the programs for Node have in common: they are told something by a line of words, and answer by a line of
// JSON. See tests/src/interop/mod.rs for the words.
'use strict'

const readline = require('node:readline')

class NotOffered extends Error {}

function say (object) {
  process.stdout.write(JSON.stringify(object) + '\n')
}

// Answers every line with what the verb of that name returns, one after the other.
async function serve (verbs) {
  const lines = readline.createInterface({ input: process.stdin })
  for await (const line of lines) {
    const [verb, ...words] = line.split(' ')
    try {
      if (!verbs[verb]) throw new NotOffered(`there is no ${verb}`)
      say({ ok: true, data: (await verbs[verb](...words)) ?? null })
    } catch (error) {
      say({ ok: error instanceof NotOffered ? null : false, why: String(error.message || error) })
    }
    if (verb === 'leave') break
  }
  process.exit(0)
}

// Key and value of a number; long and alike, so that compressing them is worth it.
function record (number) {
  return { key: String(number), value: `${number} ${'and so on '.repeat(20)}` }
}

// Waits until `is` holds, at most so long.
async function until (is, milliseconds) {
  const deadline = Date.now() + milliseconds
  while (!is() && Date.now() < deadline) await sleep(10)
}

function sleep (milliseconds) {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}

module.exports = { NotOffered, serve, say, record, until, sleep }
