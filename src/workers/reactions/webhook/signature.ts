// Signatures of Standard Webhooks 1.0: whoever has the secret can tell that a message is ours.
import { createHmac } from 'node:crypto'

const prefix = 'whsec_'

/** One signature for each secret, the newest first, over `id.timestamp.body`. */
export function signatures(
  secrets: readonly string[],
  { id, timestamp, body }: { id: string; timestamp: number; body: string },
): string {
  return secrets
    .map(secret => {
      const key = Buffer.from(secret.slice(prefix.length), 'base64')
      const mac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
      return `v1,${mac}`
    })
    .join(' ')
}
