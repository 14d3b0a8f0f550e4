// An export that is not what was signed: each fault is named at the event that is wrong.

import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { startOfLog } from '../../src/kit/position.ts'
import type { RecordedEvent } from '../../src/ports/eventStore.ts'
import { checkSegment, type ExportedEvent } from '../../src/workers/audit/exportPart.ts'
import { numberOf, positionAt } from '../support/positions.ts'

const zero = { position: startOfLog, count: 0, hash: '0'.repeat(64) }

const eventAt = (n: number): RecordedEvent => ({
  position: positionAt(n),
  stream: 'order-1',
  revision: n - 1,
  id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
  type: 'Noted',
  recordedAt: new Date('2026-11-30T00:00:00.000Z'),
  data: { n },
  metadata: { v: 1 },
})

/** As docs/audit.md says, by hand: names in order, no spaces. */
const bytesOf = (n: number) =>
  `{"data":{"n":${n}},"id":"00000000-0000-4000-8000-${String(n).padStart(12, '0')}",` +
  `"metadata":{"v":1},"position":"${n}","recordedAt":"2026-11-30T00:00:00.000Z",` +
  `"revision":${n - 1},"stream":"order-1","type":"Noted"}`

function exported(count: number): ExportedEvent[] {
  let hash = zero.hash
  return Array.from({ length: count }, (_, index) => {
    const n = index + 1
    hash = createHash('sha256').update(hash, 'hex').update(bytesOf(n)).digest('hex')
    return { event: eventAt(n), hash }
  })
}

const whole = exported(10)
const due = {
  position: positionAt(10),
  count: 10,
  hash: whole.at(-1)?.hash ?? '',
  after: startOfLog,
  at: new Date(),
}
const faultsOf = (part: readonly ExportedEvent[]) =>
  checkSegment(zero, due, part).faults.map(({ position, problem }) => `${problem} ${position}`)
const change = (each: ExportedEvent): ExportedEvent => ({
  ...each,
  event: { ...each.event, data: { n: -1 } },
})
const without = (...gone: readonly number[]) =>
  whole.filter(({ event }) => !gone.includes(Number(String(event.position))))

describe('a part of an export', () => {
  it.each<[string, () => ExportedEvent[], string[]]>([
    ['as it was signed', () => whole, []],
    ['without its first', () => without(1), ['missing 1']],
    ['without one in the middle', () => without(5), ['missing 5']],
    ['without several in a row', () => without(4, 5, 6), ['missing 4']],
    ['without two apart', () => without(3, 7), ['missing 3', 'missing 7']],
    ['without its last', () => without(10), ['missing 10']],
    ['with one changed', () => whole.map((e, n) => (n === 5 ? change(e) : e)), ['changed 6']],
    [
      'with one changed and one gone',
      () => without(8).map((e, n) => (n === 1 ? change(e) : e)),
      ['changed 2', 'missing 8'],
    ],
    [
      'with another in the place of one, and another hash',
      () => [
        ...whole.slice(0, 4),
        {
          event: { ...eventAt(5), id: eventAt(99).id, position: positionAt(5) },
          hash: 'f'.repeat(64),
        },
        ...whole.slice(5),
      ],
      ['changed 5', 'changed 6'],
    ],
    [
      'out of order',
      () => [...whole.slice(0, 3), ...whole.slice(4, 6), ...whole.slice(3, 4), ...whole.slice(6)],
      ['reordered 4'],
    ],
    [
      'with other hashes, made to fit',
      () => whole.map((e, n) => ({ ...(n === 2 ? change(e) : e), hash: undefined })),
      ['wrong-hash 10'],
    ],
  ])('%s', (_, part, faults) => {
    expect(faultsOf(part())).toEqual(faults)
  })

  it('with an event between two others names that one', () => {
    const wide = whole.map(({ event }) => ({
      ...event,
      position: positionAt(10n * numberOf(event.position)),
    }))
    let hash = zero.hash
    const lines = wide.map((event, index) => {
      const bytes = bytesOf(index + 1).replace(/"position":"\d+"/, `"position":"${event.position}"`)
      hash = createHash('sha256').update(hash, 'hex').update(bytes).digest('hex')
      return { event, hash }
    })
    const extra = { event: { ...eventAt(4), position: positionAt(45) }, hash: 'f'.repeat(64) }
    const part = [...lines.slice(0, 4), extra, ...lines.slice(4)]
    const { faults } = checkSegment(zero, { ...due, position: positionAt(100), hash }, part)
    expect(faults).toMatchObject([{ problem: 'added', position: positionAt(45) }])
  })
})
