// Errors as codes.

/** Names that say nothing of an error. */
const unnamed = new Set(['', 'Error', 'AggregateError'])

/**
 * What went wrong, without the words of others: those may quote an address. The code of the error;
 * without one, its class and the code of what caused it.
 */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed'
  if ('code' in error && error.code !== undefined) return String(error.code)
  const cause = error.cause instanceof Error ? codeOf(error.cause) : undefined
  if (unnamed.has(error.name)) return cause ?? 'failed'
  return cause === undefined ? error.name : `${error.name} (${cause})`
}
