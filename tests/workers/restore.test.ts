// Restoring: what is refused before anything is written, and a log that was not written as it was.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parsePosition } from '../../src/kit/position.ts'
import type { RecordedEvent } from '../../src/ports/eventStore.ts'
import { DamagedBackup, writeLines } from '../../src/workers/backup/archive.ts'
import { logFile } from '../../src/workers/backup/backUp.ts'
import { createContentHash, eventLine } from '../../src/workers/backup/logLines.ts'
import type { Manifest } from '../../src/workers/backup/manifest.ts'
import { NotEmpty, restore } from '../../src/workers/backup/restore.ts'

const event = (position: number, delta: number): RecordedEvent => ({
  position: parsePosition(String(position)),
  stream: 'stock-1',
  revision: position - 1,
  id: `00000000-0000-7000-8000-00000000000${position}`,
  type: 'StockAdjusted',
  recordedAt: new Date(0),
  data: { delta },
  metadata: {},
})
const backedUp = [event(1, 5), event(2, -1)]

let directory: string
let manifest: Manifest
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'restore-'))
  const content = createContentHash()
  for (const each of backedUp) content.add(each)
  await writeLines(
    directory,
    logFile,
    (async function* () {
      yield backedUp.map(eventLine)
    })(),
  )
  manifest = {
    ...{ format: 1, createdAt: '', shopId: '', currency: 'GBP', eventStore: 'eventstoredb' },
    log: { events: 2, position: '2', content: content.digest() },
    ...{ migrations: [], erased: 0, tables: [], files: [] },
  }
})
afterEach(() => rm(directory, { recursive: true, force: true }))

/** A log that holds events already, and keeps what is written as `kept` says. */
function restoring(held: RecordedEvent[], kept = (each: RecordedEvent) => each) {
  const done: string[] = []
  const note = (what: string) => async () => void done.push(what)
  const target = {
    ...{ occupied: async () => undefined, migrateTo: note('migrated'), copyIn: note('rows') },
    ...{ adopt: note('adopted'), finish: note('finished'), move: note('moved') },
  }
  const log = {
    eventStore: 'eventstoredb' as const,
    async write(events: readonly RecordedEvent[]) {
      done.push('written')
      held.push(...events.map(kept))
    },
    async *readAll() {
      yield* held
    },
  }
  return { done, ended: restore(directory, manifest, { target, log, filesDirectory: directory }) }
}

describe('a backup', () => {
  it('is restored into an empty log', async () => {
    const { done, ended } = restoring([])
    await ended
    expect(done).toEqual(['migrated', 'written', 'moved', 'adopted'])
  })

  it('is not restored behind the events of another shop, and nothing is written', async () => {
    const { done, ended } = restoring([event(1, 7)])
    await expect(ended).rejects.toThrow(NotEmpty)
    expect(done).toEqual([])
  })

  it('is no shop where an event of the log has become another', async () => {
    const { done, ended } = restoring([], each => ({ ...each, data: { delta: 50 } }))
    await expect(ended).rejects.toThrow(DamagedBackup)
    expect(done).not.toContain('adopted')
  })
})
