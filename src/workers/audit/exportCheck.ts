// Verifies an export of the log: files and public keys, and no shop.
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Checkpoint } from '../../commands/auditPorts.ts'
import { type Fault, faultAtEnd, faultOfOrder, forged, nextAs } from '../../commands/chainCheck.ts'
import { beginning, type Link } from '../../commands/hashChain.ts'
import type { RecordedEvent } from '../../eventstore/port.ts'

export interface ExportFiles {
  events: string
  checkpoints: string
  keys: string
}

/** Reads a signature: what was signed, if one of the keys has signed it. */
export type Open = (
  signed: string,
  keys: Static<typeof KeySetSchema>,
) => Promise<Checkpoint | undefined>

export interface Verified {
  fault: Fault | undefined
  /** How many events a checkpoint covers, and up to where. */
  signed: number
  signedUpTo: bigint
  /** How many events are behind the last checkpoint. */
  unsigned: number
}

/** A file is not what it has to be. */
export class UnreadableExport extends Error {}

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
  link: Link
  /** The checkpoint that is due next. */
  next: number
  signed: number
  unsigned: number
  fault?: Fault
}

/** Follows the events from checkpoint to checkpoint. Throws UnreadableExport. */
export async function checkExport(files: ExportFiles, open: Open): Promise<Verified> {
  const checkpoints: Checkpoint[] = []
  for await (const checkpoint of readCheckpoints(files, open)) {
    if ('problem' in checkpoint) return verified(undefined, checkpoint)
    checkpoints.push(checkpoint)
  }
  if (checkpoints.length === 0) throw new UnreadableExport(`${files.checkpoints} is empty`)
  let walk: Walk | undefined
  for await (const { event, hash } of readEvents(files.events)) {
    walk ??= startBefore(event.position, checkpoints)
    walk = follow(walk, checkpoints[walk.next], { event, hash })
    if (walk.fault !== undefined) return verified(walk, walk.fault)
  }
  walk ??= startBefore(0n, [])
  const due = checkpoints[walk.next]
  return verified(walk, due === undefined ? undefined : cutOff(due.position, walk.link.position))
}

function verified(walk: Walk | undefined, fault: Fault | undefined): Verified {
  const { signed = 0, unsigned = 0, link = beginning } = walk ?? {}
  return { fault, signed, unsigned, signedUpTo: link.position }
}

function startBefore(first: bigint, checkpoints: readonly Checkpoint[]): Walk {
  const next = checkpoints.findLastIndex(({ position }) => position < first) + 1
  return { link: checkpoints[next - 1] ?? beginning, next, signed: 0, unsigned: 0 }
}

interface ReadEvent {
  event: RecordedEvent
  /** What the chain was at this event, where the export says so. */
  hash: string | undefined
}

function follow(walk: Walk, due: Checkpoint | undefined, { event, hash }: ReadEvent): Walk {
  // There is nothing left to compare with.
  if (due === undefined) return { ...walk, unsigned: walk.unsigned + 1 }
  const isBeyond = event.position > due.position
  const missed = isBeyond ? faultAtEnd(walk.link, due) : undefined
  if (missed !== undefined) return { ...walk, fault: missed }
  const link = nextAs(walk.link, event, hash)
  if ('problem' in link) return { ...walk, fault: link }
  const signed = walk.signed + 1
  if (link.position < due.position) return { ...walk, link, signed }
  const wrong = faultAtEnd(link, due)
  if (wrong !== undefined) return { ...walk, fault: wrong }
  return { ...walk, link, signed, next: walk.next + 1 }
}

function cutOff(position: bigint, end: bigint): Fault {
  const detail = `The export ends at position ${end}; what was signed goes on.`
  return { position, problem: 'missing', detail }
}

/** The checkpoints in order, up to the first that is not as it has to be. */
async function* readCheckpoints(
  files: ExportFiles,
  open: Open,
): AsyncGenerator<Checkpoint | Fault> {
  const keys: unknown = parsed(await readFile(files.keys, 'utf8'), files.keys)
  if (!KeySet.Check(keys)) throw new UnreadableExport(`${files.keys} holds no Ed25519 keys`)
  let before: Checkpoint | undefined
  for await (const line of linesOf(files.checkpoints)) {
    if (!Signed.Check(line)) throw new UnreadableExport(`${files.checkpoints}: no checkpoint`)
    const position = BigInt(line.position)
    const checkpoint = await open(line.signed, keys)
    if (checkpoint?.position !== position) return yield forged(position)
    const fault = before && faultOfOrder(before, checkpoint)
    if (fault !== undefined) return yield fault
    yield checkpoint
    before = checkpoint
  }
}

async function* readEvents(file: string): AsyncGenerator<ReadEvent> {
  for await (const line of linesOf(file)) {
    if (!Line.Check(line)) {
      throw new UnreadableExport(`${file}: ${JSON.stringify(line).slice(0, 200)} is no event`)
    }
    const { position, recordedAt, hash, ...rest } = line
    const event = { ...rest, position: BigInt(position), recordedAt: new Date(recordedAt) }
    yield { event, hash }
  }
}

async function* linesOf(file: string): AsyncGenerator<unknown> {
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity })
  for await (const line of lines) if (line !== '') yield parsed(line, file)
}

function parsed(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new UnreadableExport(`${file} is not JSON: ${text.slice(0, 80)}`)
  }
}
