// What a stream remembers of its commands: enough for a repeat, and never more than so many.
import { describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { emptyStream, planBatch } from '../../src/commands/core/plan.ts'
import { ProcessedCommands } from '../../src/commands/core/processedCommands.ts'
import { stock } from '../../src/domain/stock/stock.ts'
import { positionAt } from '../support/positions.ts'
import { sampleId } from '../support/samples.ts'

const asked = { digest: 'abc', revision: 4, position: positionAt(17) }
const step = { digest: undefined, revision: 5, position: positionAt(18) }

describe('handled commands', () => {
  it('are known by what was asked, and where that has led', () => {
    const handled = new ProcessedCommands()
    handled.add('asked', asked)
    expect(handled.get('asked')).toEqual(asked)
    expect(handled.get('other')).toBeUndefined()
  })

  it('come back as they were, the oldest first', () => {
    const handled = new ProcessedCommands()
    handled.add('step', step)
    handled.add('asked', asked)
    expect([...handled]).toEqual([
      ['step', step],
      ['asked', asked],
    ])
  })

  it('go to an archive when there are too many, the older half', () => {
    const handled = new ProcessedCommands()
    for (let n = 0; n < 10_003; n += 1) handled.add(sampleId(n), { ...step, revision: n })
    expect(handled.size).toBe(5_003)
    expect(handled.get(sampleId(4_999))).toBeUndefined()
    expect(handled.archivesOf(sampleId(4_999))).toMatchObject([{ from: 0, to: 4_999 }])
    expect(handled.get(sampleId(5_000))?.revision).toBe(5_000)
    expect(handled.archivesOf(sampleId(5_000))).toEqual([])
  })

  it('are not looked for in the archives where they are new', () => {
    const handled = new ProcessedCommands(2)
    for (let n = 0; n < 9; n += 1) handled.add(sampleId(n), { ...step, revision: n })
    expect(handled.archives.map(({ from, to }) => [from, to])).toEqual(
      Array.from({ length: 7 }, (_, n) => [n, n]),
    )
    expect(handled.archivesOf(sampleId(9))).toEqual([])
  })
})

it('a command is not answered from a state that is older than what it led to', () => {
  const handled = new ProcessedCommands()
  const envelope = { ...systemEnvelope('test', new Date(0)), digest: 'd' }
  handled.add(envelope.commandId, { digest: 'd', revision: 5, position: positionAt(9) })
  const outcomeAt = (revision: number) => {
    const current = { ...emptyStream(stock), revision, processed: handled }
    const waiting = {
      envelope,
      decide: () => [],
      idempotency: 'key' as const,
      isNew: false,
      resolve() {},
      reject() {},
    }
    const plan = planBatch({ aggregate: stock, fingerprint: text => text }, current, [waiting])
    return plan.commands[0]?.outcome
  }
  expect(outcomeAt(4)).toMatchObject({ replayed: false })
  expect(outcomeAt(5)).toMatchObject({ replayed: true, revision: 5, position: positionAt(9) })
})
