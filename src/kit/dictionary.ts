// Entries that come and go with every request, in an object instead of a Map (decision 0016): V8
// links each table that a Map outgrows to the next one, so that once one table is old, everything
// that was in a later one is promoted. A cart command left 12 kB behind in that way, and a third of
// the processor time went into full collections.

/** An empty dictionary; entries are removed by `delete`. */
export function createDictionary<Value>(): Partial<Record<string, Value>> {
  return Object.create(null)
}
