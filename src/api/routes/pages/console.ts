// The admin console: static files that are built beside the server, under the policy of all pages.
import { createReadStream } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { extname, join, resolve } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { code } from '../../../domain/kernel/text.ts'

const dist = resolve(import.meta.dirname, '../../../../console/dist')
const open = { access: 'public' as const }
const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}
/** A name in one folder: no other folder can be reached with it. */
const File = Type.Object({
  file: code('^[\\w-][\\w.-]{0,199}$', 200, 'The name of a file of the console'),
})

/** Publishes the console under the root; it uses the API as any other client does. */
export function consoleRoutes(server: FastifyInstance): void {
  const hidden = { config: open, schema: { hide: true } }
  server.get('/console', hidden, sendPage)
  server.get('/console/', hidden, sendPage)
  server.get<{ Params: { file: string } }>(
    '/console/assets/:file',
    { config: open, schema: { hide: true, params: File } },
    sendAsset,
  )
}

async function sendPage(_: FastifyRequest, reply: FastifyReply) {
  const page = await readFile(join(dist, 'index.html')).catch(() => undefined)
  reply.type('text/html; charset=utf-8').header('cache-control', 'no-cache')
  if (page !== undefined) return reply.send(page)
  return reply.status(503).header('retry-after', '2').send(comingPage)
}

/** An asset's name changes with its content, so that a browser may keep it for good. */
async function sendAsset(
  request: FastifyRequest<{ Params: { file: string } }>,
  reply: FastifyReply,
) {
  const { file } = request.params
  const path = join(dist, 'assets', file)
  const type = types[extname(file)]
  const isThere = type !== undefined && (await exists(path))
  if (!isThere) return reply.callNotFound()
  reply.type(type).header('vary', 'accept-encoding')
  reply.header('cache-control', 'public, max-age=31536000, immutable')
  const packed = `${path}.gz`
  const wantsPacked = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  if (!wantsPacked || !(await exists(packed))) return reply.send(createReadStream(path))
  return reply.header('content-encoding', 'gzip').send(createReadStream(packed))
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

const comingPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Console</title>
<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="2">
<style>body{font:16px/1.5 sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}</style></head>
<body><h1>The console is being built</h1>
<p>That takes some seconds after the first start; this page looks again by itself.</p>
<p>Where it never ends, <code>npm run console:build</code> says why.</p></body></html>
`
