// Checkpoints leave the machine: into a file, by a signed webhook, into an S3-compatible store that
// checks the signature by itself, and with a time stamp of a real authority (openssl).

import { execFileSync } from 'node:child_process'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { auditOf } from '../../src/config/auditSettings.ts'
import { filePublisher, remotePublishers } from '../../src/infra/audit/checkpointPublishers.ts'
import { readTimestamp, timestampRequest } from '../../src/infra/audit/timestamps.ts'
import type { Position } from '../../src/kit/position.ts'
import { publishCheckpoints } from '../../src/workers/jobs/checkpointPublishing.ts'
import { memoryAudit } from '../support/memoryAudit.ts'
import { moved, positionAt } from '../support/positions.ts'
import { temporaryDirectory } from '../support/servers.ts'

interface Received {
  method: string
  path: string
  headers: IncomingMessage['headers']
  body: Buffer
}

let directory = ''
let url = ''
let received: Received[] = []
let answer: (request: Received) => { status?: number; body?: Buffer } = () => ({})
const server = createServer((request, response) => void take(request, response))

async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece)
  const { method = '', url: path = '', headers } = request
  const seen = { method, path, headers, body: Buffer.concat(pieces) }
  received.push(seen)
  const { status = 200, body } = answer(seen)
  response.writeHead(status).end(body)
}

beforeAll(async () => {
  directory = await temporaryDirectory()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
})
afterAll(async () => {
  server.close()
  await rm(directory, { recursive: true, force: true })
})
afterEach(() => {
  received = []
  answer = () => ({})
})

const secret = `whsec_${randomBytes(32).toString('base64')}`
const settings = (more: Record<string, string>) =>
  auditOf({
    FILES_DIR: join(directory, 'files'),
    AUDIT_PUBLISH_SECONDS: 3_600,
    AUDIT_BUCKET_REGION: 'eu-west-2',
    ...more,
  })
const publication = { position: positionAt(4_711), signed: 'aaa.bbb.ccc' }
const line = '{"position":"4711","signed":"aaa.bbb.ccc"}'

async function publish(more: Record<string, string>) {
  const [publisher] = remotePublishers(settings(more))
  return publisher?.publish(publication)
}

/** AWS Signature Version 4, from its documentation. */
function awsSignature({ method, path, headers, body }: Received, secretKey: string): string {
  const authorization = String(headers.authorization)
  const [, scope = '', names = ''] =
    /Credential=[^/]+\/([^,]+), ?SignedHeaders=([^,]+)/.exec(authorization) ?? []
  const hex = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')
  const sign = (key: string | Buffer, text: string) =>
    createHmac('sha256', key).update(text).digest()
  const payload = String(headers['x-amz-content-sha256'])
  if (payload !== 'UNSIGNED-PAYLOAD' && payload !== hex(body)) return 'another payload'
  const canonical = [
    method,
    path,
    '',
    ...names.split(';').map(name => `${name}:${String(headers[name]).trim()}`),
    '',
    names,
    payload,
  ].join('\n')
  const [date = '', region = '', service = '', end = ''] = scope.split('/')
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, hex(canonical)].join('\n')
  const key = [region, service, end].reduce(sign, sign(`AWS4${secretKey}`, date))
  return sign(key, text).toString('hex')
}

describe('a checkpoint', () => {
  it('is a line of a file that grows', async () => {
    const publisher = filePublisher(join(directory, 'out'))
    await publisher.publish(publication)
    await publisher.publish(publication)
    const text = await readFile(join(directory, 'out', 'checkpoints.ndjson'), 'utf8')
    expect(text).toBe(`${line}\n${line}\n`)
  })

  it('is a webhook that its receiver can verify', async () => {
    await publish({ AUDIT_WEBHOOK_URL: `${url}/seals`, AUDIT_WEBHOOK_SECRET: secret })
    const [{ headers, body } = { headers: {}, body: Buffer.alloc(0) }] = received
    const headersOf = Object.entries(headers).map(([name, value]) => [name, String(value)])
    const verified = new Webhook(secret).verify(String(body), Object.fromEntries(headersOf))
    expect(verified).toEqual({
      type: 'audit.checkpoint',
      data: { position: '4711', signed: 'aaa.bbb.ccc' },
    })
  })

  it('is an object of a bucket, put there with a right signature', async () => {
    const bucket = {
      AUDIT_BUCKET_URL: `${url}/proofs/shop`,
      AUDIT_BUCKET_KEY_ID: 'AKIDEXAMPLE',
      AUDIT_BUCKET_SECRET_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    }
    await publish(bucket)
    const [put] = received
    if (put === undefined) throw new Error('nothing has come')
    expect(put.path).toBe('/proofs/shop/checkpoint-0000000000000004711.json')
    expect(put.method).toBe('PUT')
    expect(String(put.body)).toBe(`${line}\n`)
    const expected = awsSignature(put, bucket.AUDIT_BUCKET_SECRET_KEY)
    expect(put.headers.authorization).toContain(`Signature=${expected}`)
    expect(put.headers.authorization).toContain('/eu-west-2/s3/aws4_request')
    answer = () => ({ status: 403 })
    await expect(publish(bucket)).rejects.toThrow('the answer was 403')
  })
})

describe('a time stamp', () => {
  const openssl = (...args: readonly string[]) =>
    execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })

  beforeAll(async () => {
    await writeFile(
      join(directory, 'tsa.cnf'),
      `[req]
distinguished_name = dn
x509_extensions = ext
prompt = no
[dn]
CN = tsa
[ext]
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = tsa1
[tsa1]
serial = serial
crypto_device = builtin
signer_cert = tsa.crt
certs = tsa.crt
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
`,
    )
    await writeFile(join(directory, 'serial'), '01\n')
    const made = ['-newkey', 'rsa:2048', '-nodes', '-keyout', 'tsa.key', '-out', 'tsa.crt']
    openssl('req', '-x509', '-days', '2', '-config', 'tsa.cnf', ...made)
  })

  const authority = async ({ body }: Received) => {
    await writeFile(join(directory, 'query.tsq'), body)
    openssl('ts', '-reply', '-config', 'tsa.cnf', '-queryfile', 'query.tsq', '-out', 'reply.tsr')
    return readFile(join(directory, 'reply.tsr'))
  }

  it('is of what was signed: openssl verifies the receipt', async () => {
    const { bytes } = timestampRequest('another text')
    const other = await authority({ method: '', path: '', headers: {}, body: bytes })
    answer = () => ({ body: other })
    await expect(publish({ AUDIT_TSA_URL: url })).rejects.toThrow('is of something else')
    // The server answers at once: the authority is asked while the request is held.
    const request = timestampRequest(publication.signed)
    const reply = await authority({ method: '', path: '', headers: {}, body: request.bytes })
    expect(readTimestamp(reply, request)).toBeUndefined()
    expect(readTimestamp(reply, timestampRequest(publication.signed))).toMatch(/another request/)
    expect(readTimestamp(Buffer.from('30053003020102', 'hex'), request)).toMatch(/status 2/)
    expect(readTimestamp(Buffer.from('no'), request)).toBe('the answer is no time stamp')
    await writeFile(join(directory, 'signed.txt'), publication.signed)
    const verified = ['-data', 'signed.txt', '-in', 'reply.tsr', '-CAfile', 'tsa.crt']
    expect(String(openssl('ts', '-verify', ...verified))).toMatch(/Verification: OK/)
  })
})

describe('publishing', () => {
  it('takes each checkpoint to the file, and the newest to others when it is time', async () => {
    const { audit, segments } = memoryAudit()
    for (const position of [positionAt(10), positionAt(20)]) {
      segments.push({ position, after: moved(position, -10), signed: `s${position}`, marks: [] })
    }
    const sent: string[] = []
    const noted = new Map<string, { position: Position; at: Date }>()
    const to = (name: string) => ({
      name,
      async publish({ position }: { position: Position }) {
        sent.push(`${name} ${position}`)
        return undefined
      },
    })
    const now = (seconds: number) => new Date(1_800_000_000_000 + seconds * 1_000)
    let seconds = 0
    const warnings: object[] = []
    const publishing = {
      audit,
      file: to('file'),
      publishers: [to('mail'), { name: 'broken', publish: () => Promise.reject(new Error('no')) }],
      published: {
        newest: async (name: string) => noted.get(name),
        async note(name: string, position: Position) {
          noted.set(name, { position, at: now(seconds) })
        },
      },
      everySeconds: 60,
      log: { info() {}, error() {}, warn: (fields: object) => void warnings.push(fields) },
    }
    await publishCheckpoints(publishing, now(0))
    expect(sent).toEqual(['file 10', 'file 20', 'mail 20'])
    expect(warnings).toEqual([{ target: 'broken', error: 'no' }])
    segments.push({ position: positionAt(30), after: positionAt(20), signed: 's30', marks: [] })
    seconds = 59
    await publishCheckpoints(publishing, now(59))
    expect(sent.slice(3)).toEqual(['file 30'])
    await publishCheckpoints(publishing, now(60))
    expect(sent.slice(4)).toEqual(['mail 30'])
  })
})
