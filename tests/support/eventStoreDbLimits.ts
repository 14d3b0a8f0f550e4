// What stream metadata hides in the EventStoreDB stub, by the rules of the server.

export interface Limits {
  $tb?: number
  $maxCount?: number
  $maxAge?: number
}

/** The limits that the data of a metadata event sets; they replace those of the one before. */
export function limitsIn(data: Uint8Array | undefined): Limits {
  if (data === undefined || data.length === 0) return {}
  const parsed: unknown = JSON.parse(Buffer.from(data).toString('utf8'))
  return typeof parsed === 'object' && parsed !== null ? parsed : {}
}

/** What a deletion sets `$tb` to, as a double. */
export const deletedBefore = 2 ** 63

/** The first revision that a stream shows; infinity for one that is deleted. */
export function hiddenBefore({ $tb, $maxCount }: Limits, last: number): number {
  if ($tb !== undefined && $tb >= deletedBefore) return Number.POSITIVE_INFINITY
  return Math.max($tb ?? 0, $maxCount === undefined ? 0 : last - $maxCount + 1)
}
