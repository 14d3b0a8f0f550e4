// Uploaded files, passed on as streams.
import type { Readable } from 'node:stream'
import { Readable as Stream } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { HttpProblem } from './problems.ts'

export const uploadBytesMax = 64 * 1024 * 1024
/** Over a slow connection; no request may take longer. */
export const uploadTimeoutMs = 600_000

const formats = { 'text/csv': 'csv', 'application/x-ndjson': 'ndjson' } as const

/** Passes bodies on unread in this scope; their schema is documentation only. */
export function useUploads(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', (_, payload, done) => done(null, payload))
  const compile = server.validatorCompiler
  server.setValidatorCompiler(route => {
    if (route.httpPart === 'body' || compile === undefined) return () => true
    return compile(route)
  })
}

/** The format of an upload and its bytes as they come. Throws a 413 or 415 problem. */
export function readUpload(request: FastifyRequest) {
  const header = request.headers['content-type'] ?? ''
  const [type = '', ...parameters] = header.toLowerCase().split(/\s*;\s*/)
  const format = Object.entries(formats).find(([name]) => name === type.trim())?.[1]
  const { body } = request
  if (format === undefined || !(body instanceof Stream)) {
    throw new HttpProblem(
      'request/unsupported',
      'The content type must be text/csv or application/x-ndjson.',
    )
  }
  const charset = parameters.find(each => each.startsWith('charset='))?.replaceAll('"', '')
  if (charset !== undefined && !/^charset=(utf-?8|us-ascii)$/.test(charset)) {
    throw new HttpProblem('request/unsupported', 'The character set must be UTF-8.')
  }
  if (Number(request.headers['content-length'] ?? 0) > uploadBytesMax) {
    throw new HttpProblem('request/too-large', `The file must not exceed ${uploadBytesMax} bytes.`)
  }
  return { format, content: bytesOf(body) }
}

async function* bytesOf(body: Readable): AsyncGenerator<Buffer> {
  // A refusal during the upload has to reach the client, so the connection stays open.
  for await (const piece of body.iterator({ destroyOnReturn: false })) yield Buffer.from(piece)
}
