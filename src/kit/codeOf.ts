// Errors as codes.

/** What went wrong, without the words of others: those may quote an address. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'failed'
}
