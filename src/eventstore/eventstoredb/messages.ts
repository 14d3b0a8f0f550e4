// What a read of EventStoreDB sends, taken out of the bytes on the wire. The client's generated
// code makes objects for each part of a message, which costs 6 µs an event; this costs 1 µs. With
// what follows from it, reading 717,477 events takes 6.2 s of processor time in the place of 14.2.

/** Where in a message something is. */
interface Range {
  from: number
  to: number
}

/** An event; of its contents only where in the message they are. */
export interface SentEvent {
  bytes: Buffer
  id: string
  /** The name on the server. */
  stream: string
  revision: bigint
  prepare: bigint
  commit: bigint
  type: string
  contentType: string
  /** In ticks of 100 ns since 1970. */
  created: string
  data: Range
  metadata: Range
}

/** What the server says: an event, that it has looked at all up to here, or that it is live. */
export type Sent = { event: SentEvent } | { checkpoint: bigint } | { live: boolean }

/** Takes a message apart; undefined for one that says nothing of this. Throws on other bytes. */
export function sentIn(bytes: Buffer): Sent | undefined {
  const fields = new Fields(bytes, { from: 0, to: bytes.length })
  let sent: Sent | undefined
  while (fields.next()) {
    if (fields.number === 1) sent = resolved(bytes, fields.range) ?? sent
    else if (fields.number === 3) sent = { checkpoint: checkpointIn(bytes, fields.range) }
    else if (fields.number === 8) sent = { live: true }
    else if (fields.number === 9) sent = { live: false }
  }
  return sent
}

function resolved(bytes: Buffer, range: Range): Sent | undefined {
  const fields = new Fields(bytes, range)
  while (fields.next()) if (fields.number === 1) return { event: eventIn(bytes, fields.range) }
  return undefined
}

function checkpointIn(bytes: Buffer, range: Range): bigint {
  const fields = new Fields(bytes, range)
  let commit = 0n
  while (fields.next()) if (fields.number === 1) commit = fields.integer()
  return commit
}

const nowhere: Range = { from: 0, to: 0 }

function eventIn(bytes: Buffer, range: Range): SentEvent {
  const event: SentEvent = {
    bytes,
    id: '',
    stream: '',
    revision: 0n,
    prepare: 0n,
    commit: 0n,
    type: '',
    contentType: '',
    created: '',
    data: nowhere,
    metadata: nowhere,
  }
  const fields = new Fields(bytes, range)
  while (fields.next()) {
    if (fields.number === 1) event.id = textAt(bytes, fields.range, 2)
    else if (fields.number === 2) event.stream = textAt(bytes, fields.range, 3)
    else if (fields.number === 3) event.revision = fields.integer()
    else if (fields.number === 4) event.prepare = fields.integer()
    else if (fields.number === 5) event.commit = fields.integer()
    else if (fields.number === 6) setProperty(event, fields.range)
    else if (fields.number === 7) event.metadata = fields.range
    else if (fields.number === 8) event.data = fields.range
  }
  return event
}

/** One of the properties that the server keeps of an event beside its contents. */
function setProperty(event: SentEvent, range: Range): void {
  const { bytes } = event
  const name = textAt(bytes, range, 1)
  if (name === 'type') event.type = textAt(bytes, range, 2)
  else if (name === 'created') event.created = textAt(bytes, range, 2)
  else if (name === 'content-type') event.contentType = textAt(bytes, range, 2)
}

/** The text of one field of a message within a message. */
function textAt(bytes: Buffer, range: Range, number: number): string {
  const fields = new Fields(bytes, range)
  while (fields.next()) if (fields.number === number) return textOf(bytes, fields.range)
  return ''
}

/** A part of a message as text. */
export function textOf(bytes: Buffer, { from, to }: Range): string {
  return bytes.toString('utf8', from, to)
}

/** How the value of a field is written; the number is part of the format. */
const kinds = { integer: 0, eightBytes: 1, bytes: 2, fourBytes: 5 }
/** Of an integer, so many bits are kept in one number, and in the next. */
const [bits, half] = [28, 2 ** 28]

/** The fields of a message, one after the other (protobuf's wire format). */
class Fields {
  readonly #bytes: Buffer
  readonly #to: number
  #at: number
  /** Of the last integer: bits 0 to 27, 28 to 55, and those above. */
  #low = 0
  #middle = 0
  #high = 0
  number = 0
  /** Where the value is, where it is bytes. */
  range = nowhere

  constructor(bytes: Buffer, { from, to }: Range) {
    this.#bytes = bytes
    this.#at = from
    this.#to = to
  }

  /** Goes to the next field; false behind the last one. */
  next(): boolean {
    if (this.#at >= this.#to) return false
    this.#read()
    this.number = this.#low >>> 3
    const kind = this.#low & 7
    if (kind === kinds.integer) this.#read()
    else if (kind === kinds.bytes) {
      this.#read()
      const from = this.#at
      this.#at += this.#low + this.#middle * half
      this.range = { from, to: this.#at }
    } else if (kind === kinds.eightBytes) this.#at += 8
    else if (kind === kinds.fourBytes) this.#at += 4
    else throw new Error(`a message of the server has a field of the kind ${kind}`)
    if (this.#at > this.#to) throw new Error('a message of the server is cut off')
    return true
  }

  /** The value, where it is an integer. */
  integer(): bigint {
    const isExact = this.#high === 0 && this.#middle < 2 ** 25
    if (isExact) return BigInt(this.#low + this.#middle * half)
    const above = (BigInt(this.#high) << BigInt(bits)) | BigInt(this.#middle)
    return (above << BigInt(bits)) | BigInt(this.#low)
  }

  #read(): void {
    this.#low = this.#part()
    this.#middle = this.#isOver ? 0 : this.#part()
    this.#high = this.#isOver ? 0 : this.#part()
  }

  #isOver = false

  /** Up to four bytes of an integer, of seven bits each. */
  #part(): number {
    let value = 0
    for (let shift = 0; shift < bits; shift += 7) {
      const byte = this.#bytes[this.#at] ?? 0
      this.#at += 1
      value |= (byte & 0x7f) << shift
      this.#isOver = byte < 0x80
      if (this.#isOver) break
    }
    return value
  }
}
