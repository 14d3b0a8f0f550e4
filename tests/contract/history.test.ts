// What was written once is read for ever: a sample of every event type as the log has held it.
import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { eventSchemas } from '../../src/domain/index.ts'
import { createCodec, erased } from '../../src/eventstore/core/codec.ts'
import type { Codec } from '../../src/ports/codec.ts'
import type { Envelope } from '../../src/ports/envelope.ts'
import type { NewEvent } from '../../src/ports/eventStore.ts'
import { exampleOf } from '../support/arbitrary.ts'
import { positionAt } from '../support/positions.ts'
import { customerId, sampleId } from '../support/samples.ts'
import { noSeals, testSeals } from '../support/testSeals.ts'

/**
 * One event as the codec wrote it, and what it has to read as. Samples are never changed and never
 * removed: the log holds events like them. `UPDATE_GOLDEN=1` adds those that are missing.
 */
interface Sample {
  type: string
  version: number
  recorded: NewEvent
  expected: unknown
}

const file = new URL('history.json', import.meta.url)
const at = new Date('2011-08-09T10:11:12.345Z')
const place = { revision: 3, position: positionAt(42), recordedAt: at }
const envelope: Envelope = {
  commandId: sampleId(91),
  correlationId: sampleId(92),
  causationId: sampleId(93),
  actor: { role: 'customer', id: customerId, roles: ['customer'] },
  at,
  digest: 'abcdefghijklmnopqrstuv',
}

async function decoded(codec: Codec, { type, recorded }: Sample): Promise<unknown> {
  const read = await codec.decode({ ...recorded, ...place, stream: `sample-${type}` })
  // As JSON, since that is what the expectation is kept as.
  return JSON.parse(JSON.stringify({ ...read, position: String(read.position) }))
}

const nameOf = ({ type, version }: { type: string; version: number }) => `${type}@${version}`

/** The fields of a payload, by path. */
function fieldsOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([name, inner]) =>
    fieldsOf(inner, Array.isArray(value) ? `${path}[]` : `${path}.${name}`),
  )
}

/** The fields of a type of event that no sample of its version has: optional ones came later. */
function fieldsWithoutSample(known: readonly Sample[], kind: (typeof currentKinds)[number]) {
  const own = known.filter(sample => nameOf(sample) === nameOf(kind))
  const sampled = new Set(own.flatMap(({ recorded }) => fieldsOf(recorded.data)))
  return fieldsOf(exampleOf(kind.schema)).filter(field => !sampled.has(field))
}

const currentKinds = Object.entries(eventSchemas).map(([type, schema]) => {
  const version = Number(Reflect.get(schema, 'version') ?? 1)
  return { type, version, schema }
})

async function readSamples(): Promise<Sample[]> {
  const samples: Sample[] = JSON.parse(await readFile(file, 'utf8'))
  if (process.env.UPDATE_GOLDEN !== '1') return samples
  for (const kind of currentKinds) {
    if (fieldsWithoutSample(samples, kind).length === 0) continue
    const { type, version, schema } = kind
    // Of its own for each: an erasure reaches the events after it.
    const codec = createCodec(eventSchemas, testSeals())
    const event = { type, data: exampleOf(schema) }
    const recorded = await codec.encode(event, sampleId(1), envelope, customerId)
    const sample = { type, version, recorded, expected: null }
    samples.push({ ...sample, expected: await decoded(codec, sample) })
  }
  await writeFile(file, `${JSON.stringify(samples, null, 2)}\n`)
  return samples
}

const samples = await readSamples()
const named = samples.map((sample): [string, Sample] => [nameOf(sample), sample])

describe('a recorded event', () => {
  it.each(named)('reads as it always did: %s', async (_, sample) => {
    const codec = createCodec(eventSchemas, testSeals())
    expect(await decoded(codec, sample)).toEqual(sample.expected)
  })

  it.each(named.filter(([, { recorded }]) => 'sealed' in recorded.metadata))(
    'reads as erased without the keys, and can still be read: %s',
    async (_, sample) => {
      const read = await decoded(createCodec(eventSchemas, noSeals), sample)
      expect(read).not.toEqual(sample.expected)
      expect(JSON.stringify(read)).toContain(erased)
    },
  )

  it('is there for every field of every type in the version that is written today', () => {
    const missing = currentKinds.flatMap(kind =>
      fieldsWithoutSample(samples, kind).map(field => `${nameOf(kind)} ${field}`),
    )
    expect(missing, 'run this test with UPDATE_GOLDEN=1 to add them').toEqual([])
  })

  it('is of a type that the shop still knows', () => {
    for (const { type } of samples) expect(eventSchemas).toHaveProperty(type)
  })
})
