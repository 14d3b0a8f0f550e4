// Verifies an export of the log: files and public keys, and no shop.

import { readFile } from 'node:fs/promises'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { faultOfOrder, forged } from '../../audit/chainCheck.ts'
import type { Fault } from '../../audit/chainFault.ts'
import { beginning } from '../../audit/hashChain.ts'
import { type Position, parsePosition, startOfLog } from '../../kit/position.ts'
import type { Checkpoint, Link } from '../../ports/audit.ts'
import { type Damage, jsonLines, type ParsedLine, parsed, UnreadableExport } from './exportLines.ts'
import { checkSegment, type ExportedEvent, missingEvents } from './exportPart.ts'

export { UnreadableExport }

export interface ExportFiles {
  events: string
  checkpoints: string
  keys: string
  /** Checkpoints that were kept elsewhere; there may be few of them. */
  outside?: string | undefined
  /** The export intentionally begins after the checkpoint at this position. */
  after?: Position | undefined
}

/** Reads a signature: what was signed, if one of the keys has signed it. */
export type Open = (
  signed: string,
  keys: Static<typeof KeySetSchema>,
) => Promise<Checkpoint | undefined>

export interface Verified {
  /** The first of them, and how many there are. */
  faults: readonly Fault[]
  /** What could not be read of the files, line by line; the first of it. */
  damage: readonly string[]
  count: number
  /** The number of events that a checkpoint covers, and their positions. */
  signed: number
  after: Position
  signedUpTo: Position
  /** The number of events after the last checkpoint. */
  unsigned: number
}

/** What is wrong, in lines for people; none when all is well. */
export function faultLines({ faults, damage, count }: Verified): string[] {
  if (count === 0) return []
  const lines = faults.map(each => `${each.problem} at position ${each.position}: ${each.detail}`)
  const named = [...damage, ...lines]
  const more = count > named.length ? [`… and ${count - named.length} more.`] : []
  return [...named, ...more, `${count} ${count === 1 ? 'fault' : 'faults'}.`]
}

const faultsMax = 20

const Digits = Type.String({ pattern: '^\\d{1,19}$' })
const Fields = Type.Record(Type.String(), Type.Unknown())
const LineSchema = Type.Object({
  position: Digits,
  stream: Type.String(),
  revision: Type.Integer(),
  id: Type.String(),
  type: Type.String(),
  recordedAt: Type.String({ format: 'date-time' }),
  data: Fields,
  metadata: Fields,
  hash: Type.Optional(Type.String()),
})

const KeySetSchema = Type.Object({
  keys: Type.Array(
    Type.Object({
      kty: Type.Literal('OKP'),
      crv: Type.Literal('Ed25519'),
      x: Type.String(),
      kid: Type.String(),
    }),
  ),
})

const Line = Compile(LineSchema)
const Signed = Compile(Type.Object({ position: Digits, signed: Type.String() }))
const KeySet = Compile(KeySetSchema)

interface Walk {
  before: Link
  /** The checkpoint that is due next. */
  next: number
  signed: number
  unsigned: number
  faults: Fault[]
  damage: string[]
  count: number
  /** Checkpoints that were kept elsewhere and have not been met yet. */
  outside: Map<Position, Checkpoint>
  /** Parts of which nothing is there, as far as they have come. */
  gap?: { start: Link; fault: Fault } | undefined
}

/** Follows the events from checkpoint to checkpoint. Throws UnreadableExport. */
export async function checkExport(files: ExportFiles, open: Open): Promise<Verified> {
  const keys: unknown = parsed(await readFile(files.keys, 'utf8').catch(() => ''))
  if (!KeySet.Check(keys)) throw new UnreadableExport(`${files.keys} holds no Ed25519 keys`)
  const checkpoints: Checkpoint[] = []
  const damage: string[] = []
  for await (const checkpoint of readCheckpoints(files.checkpoints, signed => open(signed, keys))) {
    if (typeof checkpoint === 'string') damage.push(checkpoint)
    else if ('problem' in checkpoint) return forgedList(checkpoint, damage)
    else checkpoints.push(checkpoint)
  }
  if (checkpoints.length === 0) {
    throw new UnreadableExport([`${files.checkpoints} has no checkpoint`, ...damage].join('\n'))
  }
  const walk = startAfter(files.after, checkpoints)
  for (const each of damage) noteDamage(walk, each)
  const after = walk.before.position
  if (files.outside !== undefined) {
    await readOutside(walk, files.outside, signed => open(signed, keys))
  }
  await follow(walk, checkpoints, files.events)
  for (const { position, count } of walk.outside.values()) {
    if (position <= after) continue
    const detail = `A checkpoint kept elsewhere has ${count} events up to here; this log has not.`
    note(walk, [{ position, problem: 'went-back', detail }])
  }
  const { faults, count, signed, unsigned, before } = walk
  return {
    faults,
    damage: walk.damage,
    count,
    signed,
    after,
    signedUpTo: before.position,
    unsigned,
  }
}

function forgedList(fault: Fault, damage: readonly string[]): Verified {
  const count = 1 + damage.length
  return {
    faults: [fault],
    damage,
    count,
    signed: 0,
    after: startOfLog,
    signedUpTo: startOfLog,
    unsigned: 0,
  }
}

function startAfter(after: Position | undefined, checkpoints: readonly Checkpoint[]): Walk {
  const index = checkpoints.findIndex(({ position }) => position === after)
  if (after !== undefined && after > startOfLog && index < 0) {
    throw new UnreadableExport(`there is no checkpoint at position ${after}`)
  }
  const before = checkpoints[index] ?? beginning
  const nothing = { signed: 0, unsigned: 0, faults: [], damage: [], count: 0, outside: new Map() }
  return { before, next: index + 1, ...nothing }
}

function noteDamage(walk: Walk, damage: string): void {
  walk.count += 1
  if (walk.damage.length < faultsMax) walk.damage.push(damage)
}

function note(walk: Walk, faults: readonly Fault[]): void {
  walk.count += faults.length
  walk.faults.push(...faults.slice(0, faultsMax - walk.faults.length))
}

/** Takes the events of a part together; what is in memory is one part. */
async function follow(walk: Walk, checkpoints: readonly Checkpoint[], file: string): Promise<void> {
  let segment: ExportedEvent[] = []
  for await (const each of readEvents(file)) {
    if (typeof each === 'string') {
      noteDamage(
        walk,
        `${each}, behind position ${segment.at(-1)?.event.position ?? walk.before.position}`,
      )
      continue
    }
    const { position } = each.event
    if (position <= walk.before.position) {
      const detail = `It comes behind the checkpoint at position ${walk.before.position}.`
      note(walk, [{ position, problem: 'reordered', detail }])
      continue
    }
    for (;;) {
      const due = checkpoints[walk.next]
      if (due === undefined || position <= due.position) break
      close(walk, checkpoints, segment)
      segment = []
    }
    if (checkpoints[walk.next] === undefined) walk.unsigned += 1
    else segment.push(each)
  }
  while (checkpoints[walk.next] !== undefined) {
    close(walk, checkpoints, segment)
    segment = []
  }
}

/** Ends a segment; consecutive missing segments are reported as one fault. */
function close(walk: Walk, checkpoints: readonly Checkpoint[], segment: ExportedEvent[]): void {
  const due = checkpoints[walk.next]
  if (due === undefined) return
  walk.next += 1
  if (segment.length === 0) {
    if (walk.gap !== undefined) undo(walk, walk.gap.fault)
    const start = walk.gap?.start ?? walk.before
    walk.gap = { start, fault: missingEvents(start, due) }
    note(walk, [walk.gap.fault])
  } else {
    walk.gap = undefined
    const checked = checkSegment(walk.before, due, segment)
    note(walk, checked.faults)
    for (const link of checked.links) compareOutside(walk, link)
    walk.signed += segment.length
  }
  walk.before = due
}

function undo(walk: Walk, fault: Fault): void {
  walk.count -= 1
  if (walk.faults.at(-1) === fault) walk.faults.pop()
}

function compareOutside(walk: Walk, { position, hash, count }: Link): void {
  const outside = walk.outside.get(position)
  if (outside === undefined) return
  walk.outside.delete(position)
  if (outside.hash === hash && outside.count === count) return
  const detail = 'A checkpoint kept elsewhere says that this was another log up to here.'
  note(walk, [{ position, problem: 'went-back', detail }])
}

async function readOutside(
  walk: Walk,
  file: string,
  open: (signed: string) => Promise<Checkpoint | undefined>,
): Promise<void> {
  for await (const read of jsonLines(file)) {
    const line = 'damage' in read ? undefined : read.value
    if (!Signed.Check(line)) {
      noteDamage(walk, damageOf(file, read, 'is no checkpoint'))
      continue
    }
    const checkpoint = await open(line.signed)
    if (checkpoint === undefined) note(walk, [forged(parsePosition(line.position))])
    else walk.outside.set(checkpoint.position, checkpoint)
  }
}

/** The checkpoints in order, up to the first that is not as it has to be. */
async function* readCheckpoints(
  file: string,
  open: (signed: string) => Promise<Checkpoint | undefined>,
): AsyncGenerator<Checkpoint | Fault | string> {
  let before: Checkpoint | undefined
  for await (const read of jsonLines(file)) {
    const line = 'damage' in read ? undefined : read.value
    if (!Signed.Check(line)) {
      yield damageOf(file, read, 'is no checkpoint')
      continue
    }
    const position = parsePosition(line.position)
    const checkpoint = await open(line.signed)
    if (checkpoint?.position !== position) return yield forged(position)
    const fault = before && faultOfOrder(before, checkpoint)
    if (fault !== undefined) return yield fault
    yield checkpoint
    before = checkpoint
  }
}

/** The events, and what could not be read between them. */
async function* readEvents(file: string): AsyncGenerator<ExportedEvent | string> {
  for await (const read of jsonLines(file)) {
    const line = 'damage' in read ? undefined : read.value
    const recordedAt = Line.Check(line) ? new Date(line.recordedAt) : new Date(Number.NaN)
    if (!Line.Check(line) || Number.isNaN(recordedAt.getTime())) {
      yield damageOf(file, read, 'is no event')
      continue
    }
    const { position, recordedAt: _, hash, ...rest } = line
    yield { event: { ...rest, position: parsePosition(position), recordedAt }, hash }
  }
}

function damageOf(file: string, read: ParsedLine | Damage, otherwise: string): string {
  return `${file} line ${read.line} ${'damage' in read ? read.damage : otherwise}`
}
