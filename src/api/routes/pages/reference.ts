// The reference at /redoc: one page and its script from here, nothing from anywhere else.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { policyWith } from '../../http/secureHeaders.ts'

const bundle = 'redoc/bundles/redoc.standalone.js'
/** The one address of another host that the script would ask for: the picture of its maker. */
const foreignLogo = 'https://cdn.redoc.ly/redoc/logo-mini.svg'

/** The script searches in a worker that it makes from its own text. */
const policy = policyWith({ 'worker-src': ["'self'", 'blob:'] })

/** Publishes the reference under the root. */
export function referencePage(server: FastifyInstance): void {
  const open = { config: { access: 'public' as const }, schema: { hide: true } }
  const script = loader()
  server.get('/redoc', open, (_, reply) =>
    reply.header('content-security-policy', policy).type('text/html; charset=utf-8').send(page),
  )
  server.get('/redoc/redoc.js', open, async (request, reply) => sendScript(request, reply, script))
  server.get('/redoc/redoc.css', open, (_, reply) =>
    reply.type('text/css; charset=utf-8').send(style),
  )
}

interface Script {
  plain: Buffer
  packed: Buffer
}

/** A megabyte that few ask for: read and packed for the first of them, kept for the others. */
function loader(): () => Promise<Script | undefined> {
  let script: Promise<Script | undefined> | undefined
  return () => {
    script ??= load()
    return script
  }
}

/**
 * The package comes with ninety others that nothing here needs, so that it is no part of a
 * production tree: an image takes this one file along, and without it the page names the others.
 */
async function load(): Promise<Script | undefined> {
  const text = await readFile(bundlePath(), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const plain = Buffer.from(text.replaceAll(foreignLogo, 'data:,'))
  return { plain, packed: await promisify(gzip)(plain) }
}

function bundlePath(): string {
  try {
    return createRequire(import.meta.url).resolve(bundle)
  } catch {
    return bundle
  }
}

async function sendScript(
  request: FastifyRequest,
  reply: FastifyReply,
  read: () => Promise<Script | undefined>,
) {
  const script = await read()
  if (script === undefined) return reply.callNotFound()
  reply.type('text/javascript; charset=utf-8').header('vary', 'accept-encoding')
  reply.header('cache-control', 'public, max-age=3600')
  if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(script.plain)
  return reply.header('content-encoding', 'gzip').send(script.packed)
}

const theme = JSON.stringify({
  typography: {
    fontFamily: 'system-ui, sans-serif',
    headings: { fontFamily: 'system-ui, sans-serif' },
    code: { fontFamily: 'ui-monospace, monospace' },
  },
}).replaceAll('"', '&quot;')

const style = `body { margin: 0; font-family: system-ui, sans-serif }
noscript, .away { display: block; max-width: 42rem; margin: 2rem auto; padding: 0 1rem }
redoc:not(:empty) ~ .away { display: none }
`

const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>API reference</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/redoc/redoc.css"></head>
<body><redoc spec-url="/openapi.json" theme="${theme}" hide-download-button="false"
 json-sample-expand-level="2" sort-tags-alphabetically="false"></redoc>
<p class="away">The reference is on its way; the same is in
<a href="/docs">the API documentation</a> and in <a href="/openapi.json">openapi.json</a>.</p>
<script src="/redoc/redoc.js"></script></body></html>
`
