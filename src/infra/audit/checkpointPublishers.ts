// Ways by which checkpoints leave the machine: a file, a webhook, an S3-compatible store, and a
// time-stamping authority that dates them.

import { createHmac } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { AwsClient } from 'aws4fetch'
import type { AuditSettings } from '../../config/auditSettings.ts'
import { makeDirectory } from '../../kit/makeDirectory.ts'
import type { Position } from '../../kit/position.ts'
import type { Publication, PublicationBook, Publisher } from '../../ports/audit.ts'
import { isRowSeal, rowSeal } from '../crypto/rowSeals.ts'
import type { Secrets } from '../crypto/secrets.ts'
import { type Pool, rows, type Statement } from '../postgres/database.ts'
import { readTimestamp, timestampRequest } from './timestamps.ts'

const timeoutMs = 10_000
/** Answers are receipts of some kilobytes. */
const answerBytesMax = 256 * 1_024

/** Appends each checkpoint to a file, a line each: what `verify-export` takes as --outside. */
export function filePublisher(directory: string): Publisher {
  return {
    name: 'file',
    async publish(publication) {
      await makeDirectory(directory, 0o700)
      await appendLine(join(directory, 'checkpoints.ndjson'), lineOf(publication))
      return undefined
    },
  }
}

/** Adds a line, on disk when it returns; of one that does not fit on the disk nothing is left. */
async function appendLine(path: string, line: string): Promise<void> {
  const file = await open(path, 'a', 0o600)
  try {
    const { size } = await file.stat()
    try {
      await file.appendFile(`${line}\n`)
      await file.sync()
    } catch (error) {
      if ((await file.stat()).size > size) await file.truncate(size)
      throw error
    }
  } finally {
    await file.close()
  }
}

/** The publishers that the settings name, without the file and the mail. */
export function remotePublishers({ webhook, s3, tsaUrl }: AuditSettings): Publisher[] {
  return [
    webhook && webhookPublisher(webhook),
    s3 && bucketPublisher(s3),
    tsaUrl === undefined ? undefined : timestampPublisher(tsaUrl),
  ].filter(publisher => publisher !== undefined)
}

/** Posts checkpoints, signed as Standard Webhooks are. */
function webhookPublisher({ url, secret }: NonNullable<AuditSettings['webhook']>): Publisher {
  const key = Buffer.from(secret.reveal().replace(/^whsec_/, ''), 'base64')
  return {
    name: 'webhook',
    async publish(publication) {
      const id = `checkpoint-${publication.position}`
      const timestamp = String(Math.floor(Date.now() / 1_000))
      const data = JSON.parse(lineOf(publication))
      const body = JSON.stringify({ type: 'audit.checkpoint', data })
      const mac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
      await send(url, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': timestamp,
          'webhook-signature': `v1,${mac}`,
        },
      })
      return undefined
    },
  }
}

/** Puts each checkpoint into an object of its own. */
function bucketPublisher(settings: NonNullable<AuditSettings['s3']>): Publisher {
  const { url, region, accessKeyId, secretAccessKey } = settings
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey: secretAccessKey.reveal(),
    region,
    service: 's3',
  })
  return {
    name: 'bucket',
    async publish(publication) {
      const name = String(publication.position).padStart(19, '0')
      const request = await client.sign(`${url}/checkpoint-${name}.json`, {
        method: 'PUT',
        body: `${lineOf(publication)}\n`,
        headers: { 'content-type': 'application/json' },
      })
      await send(request, {})
      return undefined
    },
  }
}

/** Has checkpoints dated by RFC 3161; the receipt is the answer as it came. */
function timestampPublisher(url: string): Publisher {
  return {
    name: 'timestamp',
    async publish({ signed }) {
      const request = timestampRequest(signed)
      const answer = await send(url, {
        method: 'POST',
        body: new Uint8Array(request.bytes),
        headers: { 'content-type': 'application/timestamp-query' },
      })
      const fault = readTimestamp(answer, request)
      if (fault !== undefined) throw new Error(fault)
      return answer
    },
  }
}

/** Sends and reads a short answer. Throws for every answer that is not 2xx. */
async function send(to: string | Request, init: RequestInit): Promise<Buffer> {
  const response = await fetch(to, {
    ...init,
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  })
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of response.body ?? []) {
    bytes += piece.length
    if (bytes > answerBytesMax) throw new Error('the answer is too long')
    pieces.push(piece)
  }
  if (!response.ok) throw new Error(`the answer was ${response.status}`)
  return Buffer.concat(pieces)
}

function lineOf({ position, signed }: Publication): string {
  return JSON.stringify({ position: String(position), signed })
}

const newest: Statement = {
  name: 'audit_publications_newest',
  text: `select position, published_at, seal
    from shop.audit_publications
    where target = $1
    order by position desc
    limit 1000`,
}
const note: Statement = {
  name: 'audit_publications_note',
  text: `insert into shop.audit_publications (target, position, receipt, published_at, seal)
    values ($1, $2, $3, $4, $5)
    on conflict (target, position) do update
    set receipt = excluded.receipt, published_at = excluded.published_at, seal = excluded.seal`,
}

interface PublicationRow {
  [column: string]: unknown
  position: Position
  published_at: Date
  seal: string
}

/** What has been published, in shop.audit_publications; rows of somebody else do not count. */
export function publicationBook(pool: Pool, secrets: Secrets): PublicationBook {
  const fieldsOf = (target: string, position: Position, at: Date) => [
    target,
    String(position),
    at.toISOString(),
  ]
  return {
    async newest(target) {
      const found = await rows<PublicationRow>(pool, newest, [target])
      const row = found.find(({ position, published_at, seal }) => {
        const fields = fieldsOf(target, position, published_at)
        return isRowSeal(secrets, 'audit-publications', { fields, seal })
      })
      return row && { position: row.position, at: row.published_at }
    },
    async note(target, position, receipt) {
      const at = new Date()
      const seal = rowSeal(secrets, 'audit-publications', fieldsOf(target, position, at))
      await rows(pool, note, [target, position, receipt ?? null, at, seal])
    },
  }
}
