// Descriptions for the OpenAPI document: that of the route, then who may use it and what it needs.

/** What the document says of an operation, as far as descriptions need it. */
interface Shown {
  description?: string
  'x-access'?: unknown
  parameters?: { name: string; required?: boolean }[]
}

/** The description of an operation, with what operations of its kind have in common. */
export function descriptionOf(operation: Shown): string {
  const { description, parameters = [] } = operation
  const header = (wanted: string) => parameters.find(({ name }) => name.toLowerCase() === wanted)
  const sentences = [
    description,
    accessText(operation['x-access']),
    header('idempotency-key')?.required &&
      'Requires an Idempotency-Key: a repeat with the same key gets the first response.',
    header('if-match')?.required &&
      'Requires If-Match with the ETag of the version that was read, or *; 412 if it has changed.',
    header('cursor') && 'Use either page and pageSize, or cursor and limit.',
    header('minposition') && 'With minPosition the response shows at least that position.',
  ]
  return sentences.filter(Boolean).join(' ')
}

function accessText(access: unknown): string {
  if (!Array.isArray(access)) return 'No authentication is required.'
  const isForAll = access.length === 5
  return isForAll ? 'Requires authentication.' : `Requires the role ${access.join(' or ')}.`
}
