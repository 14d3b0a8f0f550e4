// Request timeouts: one timer for all requests.
import type { FastifyInstance, FastifyReply } from 'fastify'
import { createDictionary } from '../../kit/dictionary.ts'
import { HttpProblem } from './problems.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The timeout of a route in ms, if it is not the default. */
    timeoutMs?: number
  }
  interface FastifyReply {
    /** When a timeout is sent instead, and its key among the pending replies. */
    deadline: number
    timeoutKey: string
    /** The handler has answered: a second response would fail, and end the process. */
    isSending: boolean
  }
}

const checkMs = 500
/** How long hooks may hold a response that is ready, such as to note its position in Redis. */
const sendingMs = 5_000

/**
 * Answers 503 with Retry-After if a handler has not answered `timeoutMs` after the
 * request has arrived, or half a second later; 408 if the request is incomplete. Closes the
 * connection of responses and requests that do not end. The command itself
 * continues: a repeat with the same Idempotency-Key gets its result.
 */
export function useRequestTimeout(server: FastifyInstance, timeoutMs: number): void {
  const waiting = createDictionary<FastifyReply>()
  let count = 0
  server.decorateReply('deadline', 0)
  server.decorateReply('timeoutKey', '')
  server.decorateReply('isSending', false)
  server.addHook('onRequest', (request, reply, done) => {
    const ms = request.routeOptions.config.timeoutMs ?? timeoutMs
    reply.deadline = performance.now() + ms
    // Clients may send the same request id twice.
    reply.timeoutKey = `r${count}`
    count += 1
    waiting[reply.timeoutKey] = reply
    done()
  })
  server.addHook('onSend', (_, reply, payload, done) => {
    reply.isSending = true
    done(null, payload)
  })
  server.addHook('onResponse', (request, reply, done) => {
    // The rest of an incomplete request is read and discarded.
    if (request.raw.complete) delete waiting[reply.timeoutKey]
    else reply.deadline = Math.min(reply.deadline, performance.now() + timeoutMs)
    done()
  })
  const look = () => {
    const now = performance.now()
    for (const reply of Object.values(waiting)) {
      if (reply === undefined || reply.deadline > now) continue
      if (isHeldByHooks(reply) && reply.deadline > now - sendingMs) continue
      // Live connections have taken over the socket.
      delete waiting[reply.timeoutKey]
      answerTimeout(reply)
    }
  }
  const timer = setInterval(look, checkMs).unref()
  server.addHook('onClose', async () => clearInterval(timer))
}

function isHeldByHooks({ isSending, raw }: FastifyReply): boolean {
  return isSending && !raw.headersSent
}

function answerTimeout(reply: FastifyReply): void {
  if (isHeldByHooks(reply)) {
    reply.raw.destroy()
    return
  }
  if (reply.raw.writableFinished) {
    if (!reply.request.raw.complete) reply.request.raw.destroy()
    return
  }
  // For live connections `sent` is true: their handler has taken over the socket.
  if (reply.sent) return
  if (reply.raw.headersSent) reply.raw.destroy()
  else if (!reply.request.raw.complete) {
    // The client is slow: the rest of its request is not waited for.
    const detail = 'The request was not received in time.'
    reply.header('connection', 'close').send(new HttpProblem('request/timeout', detail))
  } else reply.send(new HttpProblem('request/unavailable', 'The request took too long. Try again.'))
  // From now on Fastify ignores what the handler sends.
  reply.hijack()
  logLateFailures(reply)
}

/**
 * The result of a handler after its timeout is not an error: Fastify would
 * log it with a stack. A failure is logged in one line.
 */
function logLateFailures(reply: FastifyReply): void {
  const { request, log } = reply
  const quiet = log.child({})
  quiet.warn = () => undefined
  quiet.error = (said: unknown) => {
    const error = Object(said).err
    request.log.warn({ event: 'failed-late', error: String(error) }, 'failed after its answer')
  }
  reply.log = quiet
}
