// The list of erased people: a file of the audit directory to which lines are only ever added, by
// any number of processes. It has ids and times, nothing personal; each line has a seal.
import { randomBytes } from 'node:crypto'
import { appendFile, open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../kit/errorCode.ts'
import { makeDirectory } from '../../kit/makeDirectory.ts'
import { type ErasureList, type ListedErasure, ListUnavailable } from '../../ports/erasure.ts'
import { isRowSeal, rowSeal } from '../crypto/rowSeals.ts'
import type { Secrets } from '../crypto/secrets.ts'

const fileName = 'erasures'
const idForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const pieceBytes = 1_024 * 1_024
/** For the eyes of this account, and on the disk before it is said to be written. */
const durably = { mode: 0o600, flush: true }

/** What has been read of the file so far. */
interface Seen {
  people: Map<string, ListedErasure>
  damaged: number
  /** Up to where the lines are read: a line that another process is writing is read later. */
  end: number
}

const nothingSeen = (): Seen => ({ people: new Map(), damaged: 0, end: 0 })

/** The list in a directory, which is made when the first person is erased. */
export function createErasureList(directory: string, secrets: Secrets): ErasureList {
  const path = join(directory, fileName)
  let seen = nothingSeen()
  let reading: Promise<unknown> = Promise.resolve()
  const current = () => {
    const next = reading.then(async () => {
      seen = await readNewLines(path, secrets, seen)
      return seen
    })
    reading = next.catch(() => undefined)
    return available(next)
  }
  return {
    assertWritable: () => available(tryWriting(directory)),
    async add(erasures) {
      const { people } = await current()
      const added = erasures.filter(({ customerId }) => !people.has(customerId))
      if (added.length > 0) await available(append(directory, linesOf(secrets, added)))
    },
    has: async customerId => (await current()).people.has(customerId),
    all: async () => [...(await current()).people.values()],
    damaged: async () => (await current()).damaged,
  }
}

async function available<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw new ListUnavailable(codeOf(error), { cause: error })
  }
}

/** As much as an erasure writes, and to the disk: a full one says so before anything is done. */
async function tryWriting(directory: string): Promise<void> {
  await makeDirectory(directory, 0o700)
  const trial = join(directory, `.${randomBytes(6).toString('hex')}.tmp`)
  try {
    await writeFile(trial, randomBytes(4_096), durably)
  } finally {
    await rm(trial, { force: true })
  }
  // The list itself may be somebody else's.
  await appendFile(join(directory, fileName), '', durably)
}

async function append(directory: string, text: string): Promise<void> {
  await makeDirectory(directory, 0o700)
  await appendFile(join(directory, fileName), text, durably)
  const folder = await open(directory, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Each begins on a line of its own, also behind one that a crash or a full disk has cut off. */
function linesOf(secrets: Secrets, erasures: readonly ListedErasure[]): string {
  return erasures
    .map(({ customerId, at }) => {
      const fields = [customerId, at.toISOString()]
      return `\n${fields.join(' ')} ${rowSeal(secrets, 'erasures', fields)}\n`
    })
    .join('')
}

/** Reads what has been added; all of it anew where the file has been replaced by a shorter one. */
async function readNewLines(path: string, secrets: Secrets, before: Seen): Promise<Seen> {
  const file = await openToRead(path)
  if (file === undefined) return nothingSeen()
  try {
    const { size } = await file.stat()
    const seen = size < before.end ? nothingSeen() : { ...before }
    let rest = Buffer.alloc(0)
    for (let at = seen.end; at < size; ) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(pieceBytes), 0, pieceBytes, at)
      if (bytesRead === 0) break
      at += bytesRead
      const text = Buffer.concat([rest, buffer.subarray(0, bytesRead)])
      const complete = text.lastIndexOf('\n') + 1
      takeIn(secrets, seen, text.toString('latin1', 0, complete))
      seen.end += complete
      rest = text.subarray(complete)
      if (rest.length <= pieceBytes) continue
      // Nothing that the shop writes is so long: it is not kept in memory.
      seen.damaged += 1
      seen.end = at
      rest = Buffer.alloc(0)
    }
    return seen
  } finally {
    await file.close()
  }
}

async function openToRead(path: string) {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function takeIn(secrets: Secrets, seen: Seen, text: string): void {
  for (const line of text.split('\n')) {
    if (line === '') continue
    const erasure = erasureOf(secrets, line)
    if (erasure === undefined) seen.damaged += 1
    else if (!seen.people.has(erasure.customerId)) seen.people.set(erasure.customerId, erasure)
  }
}

/** What a line says; undefined where the shop has not written it like that. */
function erasureOf(secrets: Secrets, line: string): ListedErasure | undefined {
  const [customerId = '', at = '', seal = ''] = line.split(' ')
  if (!isRowSeal(secrets, 'erasures', { fields: [customerId, at], seal })) return undefined
  return idForm.test(customerId) ? { customerId, at: new Date(at) } : undefined
}
