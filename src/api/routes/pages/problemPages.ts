// A page for each problem type: what its address in an error answer leads to.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { escapeHtml, sendPlainPage } from '../../http/plainPage.ts'
import { problemTypes } from '../../http/problems.ts'

const open = { access: 'public' as const }

/** What a client can do, by status: the rest is in the `detail` of the answer itself. */
const advice: Readonly<Record<number, string>> = {
  400: 'Correct the fields that errors[] points at, and send the request again.',
  401: 'Sign in, or refresh the access token, and send the request again.',
  403: 'Ask somebody who has the role that the answer names.',
  404: 'Check the id. What is not yours answers like what does not exist.',
  405: 'Use one of the methods that the Allow header names.',
  408: 'Send the whole request at once, over a connection that is quick enough.',
  409: 'The shop says no as things are: look at the other fields of the answer, and decide anew.',
  410: 'It is gone for good: begin a new one.',
  412: 'Somebody changed it since you read it: read it again, and decide on what it is now.',
  413: 'Send less at once.',
  415: 'Send the content type that the API documentation names.',
  422: 'This Idempotency-Key belongs to another request: use a new one.',
  428: 'Send the ETag that you have read as If-Match.',
  429: 'Wait as long as Retry-After says.',
  431: 'Send fewer or shorter headers, or a shorter address.',
  500: 'Try again; if it stays, tell the shop the requestId.',
  502: 'A service of the shop has failed: try again; if it stays, tell the shop the requestId.',
  503: 'Wait as long as Retry-After says, and send the same request again.',
}

/** Publishes the pages under the root: HTML for browsers, JSON for everybody else. */
export function problemPages(server: FastifyInstance): void {
  server.get('/problems', { config: open, schema: { hide: true } }, sendList)
  server.get<{ Params: { '*': string } }>(
    '/problems/*',
    { config: open, schema: { hide: true } },
    (request, reply) => {
      const code = request.params['*']
      return code in problemTypes ? sendPage(request, reply, code) : reply.callNotFound()
    },
  )
}

function describe(code: string) {
  const { status, title } = problemTypes[code] ?? { status: 500, title: code }
  return { type: `/problems/${code}`, title, status, advice: advice[status] ?? '' }
}

function sendList(request: FastifyRequest, reply: FastifyReply) {
  const all = Object.keys(problemTypes).sort().map(describe)
  if (!wantsHtml(request)) return reply.send({ data: all })
  const rows = all.map(
    ({ type, title, status }) =>
      `<li><a href="${type}"><code>${type.slice(10)}</code></a> ${status} ${title}</li>`,
  )
  return sendPlainPage(reply, { title: 'Problem types', body: `<ul>${rows.join('\n')}</ul>` })
}

function sendPage(request: FastifyRequest, reply: FastifyReply, code: string) {
  const problem = describe(code)
  if (!wantsHtml(request)) return reply.send(problem)
  const example = JSON.stringify(
    { type: problem.type, title: problem.title, status: problem.status, detail: '…' },
    null,
    2,
  )
  return sendPlainPage(reply, {
    title: `${problem.status} ${problem.title}`,
    body: `<p><code>${problem.type}</code></p>
<p>${escapeHtml(problem.advice)}</p>
<pre>${escapeHtml(example)}</pre>
<p><a href="/problems">All problem types</a> · <a href="/docs">API documentation</a></p>`,
  })
}

function wantsHtml(request: FastifyRequest): boolean {
  return (request.headers.accept ?? '').includes('text/html')
}
