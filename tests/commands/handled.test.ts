// What a stream remembers of its commands: enough for a repeat, and never more than so many.
import { describe, expect, it } from 'vitest'
import { HandledCommands } from '../../src/commands/handled.ts'

const asked = { digest: 'abc', revision: 4, position: 17n }
const step = { digest: undefined, revision: 5, position: 18n }

describe('handled commands', () => {
  it('are known by what was asked, and where that has led', () => {
    const handled = new HandledCommands()
    handled.add('asked', asked)
    expect(handled.get('asked')).toEqual(asked)
    expect(handled.has('asked')).toBe(true)
    expect(handled.get('other')).toBeUndefined()
  })

  it('come back as they were, the oldest first', () => {
    const handled = new HandledCommands()
    handled.add('step', step)
    handled.add('asked', asked)
    expect([...handled]).toEqual([
      ['step', step],
      ['asked', asked],
    ])
  })

  it('are forgotten when there are too many, the oldest first', () => {
    const handled = new HandledCommands()
    for (let n = 0; n < 10_003; n += 1) handled.add(`command-${n}`, { ...step, revision: n })
    expect(handled.size).toBe(10_000)
    expect(handled.has('command-2')).toBe(false)
    expect(handled.get('command-3')?.revision).toBe(3)
  })
})
