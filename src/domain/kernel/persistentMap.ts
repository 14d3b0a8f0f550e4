// A map that never changes: a changed one shares nearly everything with the one before, so that a
// fold over thousands of entries does not copy all of them for each event.
import { withLast } from './withLast.ts'

/** Up to so many entries a copy costs less than a tree. */
const leafMax = 16
/** More branches make paths shorter, and leaves of one or two entries, which take most memory. */
const bitsPerLevel = 4
const branches = 1 << bitsPerLevel
const levelsMax = 7

/** Entries: a key, and at the same place its value. */
interface Leaf<Value> {
  keys: readonly string[]
  values: readonly Value[]
}

/** Entries, or nodes by the next bits of the hashes of what is below them. */
type Node<Value> = Leaf<Value> | { children: readonly (Node<Value> | undefined)[] }

const empty: Leaf<never> = { keys: [], values: [] }

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
    const { keys, values } = leafOf(this.#root, key)
    const at = keys.indexOf(key)
    return at < 0 ? undefined : values[at]
  }

  has(key: string): boolean {
    return leafOf(this.#root, key).keys.includes(key)
  }

  /** The same with this entry. */
  set(key: string, value: Value): PersistentMap<Value> {
    const root = changed(this.#root, { key, hash: hashOf(key), level: 0 }, ({ keys, values }) => {
      const at = keys.indexOf(key)
      return at < 0
        ? { keys: withLast(keys, key), values: withLast(values, value) }
        : { keys, values: values.with(at, value) }
    })
    return new PersistentMap(root, this.size + (this.has(key) ? 0 : 1))
  }

  /** The same without an entry for this key. */
  delete(key: string): PersistentMap<Value> {
    if (!this.has(key)) return this
    const root = changed(this.#root, { key, hash: hashOf(key), level: 0 }, ({ keys, values }) => {
      const at = keys.indexOf(key)
      return { keys: keys.toSpliced(at, 1), values: values.toSpliced(at, 1) }
    })
    return new PersistentMap(root, this.size - 1)
  }

  *keys(): Generator<string> {
    for (const [key] of this) yield key
  }

  *values(): Generator<Value> {
    for (const [, value] of this) yield value
  }

  *[Symbol.iterator](): Generator<[string, Value]> {
    for (const { keys, values } of leavesOf(this.#root)) {
      // There are as many values as keys.
      for (const [at, value] of values.entries()) yield [keys[at] ?? '', value]
    }
  }
}

interface Place {
  key: string
  hash: number
  level: number
}

function leafOf<Value>(root: Node<Value>, key: string): Leaf<Value> {
  let node = root
  if ('keys' in node) return node
  let hash = hashOf(key)
  while (!('keys' in node)) {
    node = node.children[hash % branches] ?? empty
    hash >>>= bitsPerLevel
  }
  return node
}

/** Copies the leaf that a key belongs into and the nodes above it. */
function changed<Value>(
  node: Node<Value>,
  { key, hash, level }: Place,
  change: (leaf: Leaf<Value>) => Leaf<Value>,
): Node<Value> {
  if ('keys' in node) {
    const leaf = change(node)
    return leaf.keys.length > leafMax && level < levelsMax ? split(leaf, level) : leaf
  }
  const place = { key, hash: hash >>> bitsPerLevel, level: level + 1 }
  const index = hash % branches
  const child = changed(node.children[index] ?? empty, place, change)
  return { children: node.children.with(index, child) }
}

function split<Value>({ keys, values }: Leaf<Value>, level: number): Node<Value> {
  const parts = Array.from({ length: branches }, (): { keys: string[]; values: Value[] } => {
    return { keys: [], values: [] }
  })
  for (const [at, value] of values.entries()) {
    const key = keys[at] ?? ''
    const part = parts[(hashOf(key) >>> (level * bitsPerLevel)) % branches]
    part?.keys.push(key)
    part?.values.push(value)
  }
  return { children: parts.map(part => (part.keys.length > 0 ? trimmed(part) : undefined)) }
}

/** What was filled one by one has room for more, which is never needed. */
function trimmed<Value>({ keys, values }: Leaf<Value>): Leaf<Value> {
  return { keys: keys.slice(), values: values.slice() }
}

function* leavesOf<Value>(node: Node<Value>): Generator<Leaf<Value>> {
  if ('keys' in node) yield node
  else for (const child of node.children) if (child !== undefined) yield* leavesOf(child)
}

/** FNV-1a over the UTF-16 units. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  }
  return hash >>> 0
}
