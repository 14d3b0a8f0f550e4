// A map that never changes: a changed one shares nearly everything with the one before, so that a
// fold over thousands of entries does not copy all of them for each event.

/** Up to so many entries a copy costs less than a tree. */
const leafMax = 32
const bitsPerLevel = 5
const branches = 1 << bitsPerLevel
const levelsMax = 6

type Leaf<Value> = ReadonlyMap<string, Value>
type Node<Value> = Leaf<Value> | readonly Node<Value>[]

/** Entries by key, in no particular order. */
export class PersistentMap<Value> {
  readonly #root: Node<Value>
  readonly size: number

  private constructor(root: Node<Value>, size: number) {
    this.#root = root
    this.size = size
  }

  static empty<Value>(): PersistentMap<Value> {
    return new PersistentMap<Value>(new Map(), 0)
  }

  get(key: string): Value | undefined {
    return leafOf(this.#root, key).get(key)
  }

  has(key: string): boolean {
    return leafOf(this.#root, key).has(key)
  }

  /** The same with this entry. */
  set(key: string, value: Value): PersistentMap<Value> {
    const size = this.size + (this.has(key) ? 0 : 1)
    const root = changed(this.#root, { key, hash: hashOf(key), level: 0 }, entries =>
      entries.set(key, value),
    )
    return new PersistentMap(root, size)
  }

  /** The same without an entry for this key. */
  delete(key: string): PersistentMap<Value> {
    if (!this.has(key)) return this
    const root = changed(this.#root, { key, hash: hashOf(key), level: 0 }, entries =>
      entries.delete(key),
    )
    return new PersistentMap(root, this.size - 1)
  }

  *keys(): Generator<string> {
    for (const [key] of this) yield key
  }

  *values(): Generator<Value> {
    for (const [, value] of this) yield value
  }

  *[Symbol.iterator](): Generator<[string, Value]> {
    for (const leaf of leavesOf(this.#root)) yield* leaf
  }
}

interface Place {
  key: string
  hash: number
  level: number
}

function leafOf<Value>(root: Node<Value>, key: string): Leaf<Value> {
  let node = root
  if (isLeaf(node)) return node
  let hash = hashOf(key)
  while (!isLeaf(node)) {
    node = childOf(node, hash)
    hash >>>= bitsPerLevel
  }
  return node
}

/** Copies the one leaf that a key belongs into and the branches above it. */
function changed<Value>(
  node: Node<Value>,
  { key, hash, level }: Place,
  change: (entries: Map<string, Value>) => unknown,
): Node<Value> {
  if (isLeaf(node)) {
    const entries = new Map(node)
    change(entries)
    return entries.size > leafMax && level < levelsMax ? split(entries, level) : entries
  }
  const place = { key, hash: hash >>> bitsPerLevel, level: level + 1 }
  return node.with(hash % branches, changed(childOf(node, hash), place, change))
}

function split<Value>(entries: Map<string, Value>, level: number): Node<Value> {
  const children = Array.from({ length: branches }, () => new Map<string, Value>())
  for (const [key, value] of entries) {
    children[(hashOf(key) >>> (level * bitsPerLevel)) % branches]?.set(key, value)
  }
  return children
}

function childOf<Value>(node: readonly Node<Value>[], hash: number): Node<Value> {
  return node[hash % branches] ?? new Map()
}

function* leavesOf<Value>(node: Node<Value>): Generator<Leaf<Value>> {
  if (isLeaf(node)) yield node
  else for (const child of node) yield* leavesOf(child)
}

function isLeaf<Value>(node: Node<Value>): node is Leaf<Value> {
  return node instanceof Map
}

/** FNV-1a over the UTF-16 units. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  }
  return hash >>> 0
}
