// A map that never changes: a changed one shares nearly everything with the one before, so that a
// fold over thousands of entries does not copy all of them for each event.

/** Up to so many entries a copy costs less than a tree. */
const leafMax = 16
const bitsPerLevel = 5
const branches = 1 << bitsPerLevel
const levelsMax = 6

type Entry<Value> = readonly [key: string, value: Value]

/** Entries, or nodes by the next bits of the hashes of what is below them. */
type Node<Value> =
  | { entries: readonly Entry<Value>[] }
  | { children: readonly (Node<Value> | undefined)[] }

const empty: Node<never> = { entries: [] }

/** Entries by key, in no particular order. */
export class PersistentMap<Value> {
  readonly #root: Node<Value>
  readonly size: number

  private constructor(root: Node<Value>, size: number) {
    this.#root = root
    this.size = size
  }

  static empty<Value>(): PersistentMap<Value> {
    return new PersistentMap<Value>(empty, 0)
  }

  get(key: string): Value | undefined {
    return entryOf(this.#root, key)?.[1]
  }

  has(key: string): boolean {
    return entryOf(this.#root, key) !== undefined
  }

  /** The same with this entry. */
  set(key: string, value: Value): PersistentMap<Value> {
    const entry: Entry<Value> = [key, value]
    const root = changed(this.#root, { key, hash: hashOf(key), level: 0 }, (entries, at) =>
      at < 0 ? [...entries, entry] : entries.with(at, entry),
    )
    return new PersistentMap(root, this.size + (this.has(key) ? 0 : 1))
  }

  /** The same without an entry for this key. */
  delete(key: string): PersistentMap<Value> {
    if (!this.has(key)) return this
    const root = changed(this.#root, { key, hash: hashOf(key), level: 0 }, (entries, at) =>
      entries.toSpliced(at, 1),
    )
    return new PersistentMap(root, this.size - 1)
  }

  *keys(): Generator<string> {
    for (const [key] of this) yield key
  }

  *values(): Generator<Value> {
    for (const [, value] of this) yield value
  }

  *[Symbol.iterator](): Generator<Entry<Value>> {
    yield* entriesOf(this.#root)
  }
}

interface Place {
  key: string
  hash: number
  level: number
}

function entryOf<Value>(root: Node<Value>, key: string): Entry<Value> | undefined {
  let node = root
  if (!('entries' in node)) {
    let hash = hashOf(key)
    while (!('entries' in node)) {
      node = node.children[hash % branches] ?? empty
      hash >>>= bitsPerLevel
    }
  }
  return node.entries.find(entry => entry[0] === key)
}

type Change<Value> = (entries: readonly Entry<Value>[], at: number) => readonly Entry<Value>[]

/** Copies the entries that a key belongs to and the nodes above them. */
function changed<Value>(
  node: Node<Value>,
  { key, hash, level }: Place,
  change: Change<Value>,
): Node<Value> {
  if ('entries' in node) {
    const at = node.entries.findIndex(entry => entry[0] === key)
    const entries = change(node.entries, at)
    return entries.length > leafMax && level < levelsMax ? split(entries, level) : { entries }
  }
  const place = { key, hash: hash >>> bitsPerLevel, level: level + 1 }
  const index = hash % branches
  const child = changed(node.children[index] ?? empty, place, change)
  return { children: node.children.with(index, child) }
}

function split<Value>(entries: readonly Entry<Value>[], level: number): Node<Value> {
  const parts = Array.from({ length: branches }, (): Entry<Value>[] => [])
  for (const entry of entries) {
    parts[(hashOf(entry[0]) >>> (level * bitsPerLevel)) % branches]?.push(entry)
  }
  return { children: parts.map(part => (part.length > 0 ? { entries: part } : undefined)) }
}

function* entriesOf<Value>(node: Node<Value>): Generator<Entry<Value>> {
  if ('entries' in node) yield* node.entries
  else for (const child of node.children) if (child !== undefined) yield* entriesOf(child)
}

/** FNV-1a over the UTF-16 units. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  }
  return hash >>> 0
}
