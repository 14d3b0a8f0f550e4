// How long anybody waits for an answer: one clock for all requests instead of one for each.
import type { FastifyInstance, FastifyReply } from 'fastify'
import { createDictionary } from '../../kit/dictionary.ts'
import { HttpProblem } from './problems.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How long a route may take to answer, in ms, where that is not as long as all others. */
    patienceMs?: number
  }
  interface FastifyReply {
    /** When a timeout is answered instead. */
    deadline: number
    timeoutKey: string
  }
}

const lookEveryMs = 500

/**
 * Answers 503 with Retry-After in the place of whoever has not answered `patienceMs` after the
 * request has come, or half a second later: 408 where the request itself is not all there. Cuts an
 * answer off that does not end, and a request that is answered and still does not end. What was
 * begun goes on: whoever asks again with the same Idempotency-Key learns how it has ended.
 */
export function useRequestTimeout(server: FastifyInstance, patienceMs: number): void {
  const waiting = createDictionary<FastifyReply>()
  let count = 0
  server.decorateReply('deadline', 0)
  server.decorateReply('timeoutKey', '')
  server.addHook('onRequest', (request, reply, done) => {
    const ms = request.routeOptions.config.patienceMs ?? patienceMs
    reply.deadline = performance.now() + ms
    // Clients may send the same request id twice.
    reply.timeoutKey = `r${count}`
    count += 1
    waiting[reply.timeoutKey] = reply
    done()
  })
  server.addHook('onResponse', (request, reply, done) => {
    // What is answered before all of it has come is waited for: the rest is read and dropped.
    if (request.raw.complete) delete waiting[reply.timeoutKey]
    else reply.deadline = Math.min(reply.deadline, performance.now() + patienceMs)
    done()
  })
  const look = () => {
    const now = performance.now()
    for (const reply of Object.values(waiting)) {
      if (reply === undefined || reply.deadline > now) continue
      // Some have no response that ends: live connections took the socket with them.
      delete waiting[reply.timeoutKey]
      answerTimeout(reply)
    }
  }
  const timer = setInterval(look, lookEveryMs).unref()
  server.addHook('onClose', async () => clearInterval(timer))
}

function answerTimeout(reply: FastifyReply): void {
  if (reply.raw.writableFinished) {
    if (!reply.request.raw.complete) reply.request.raw.destroy()
    return
  }
  // Live connections are not waited for: `sent` says that their handler has taken the socket.
  if (reply.sent) return
  if (reply.raw.headersSent) reply.raw.destroy()
  else if (!reply.request.raw.complete) {
    // It is the client that takes long: what it has not sent yet is not waited for.
    const detail = 'The request was not received in time.'
    reply.header('connection', 'close').send(new HttpProblem('request/timeout', detail))
  } else reply.send(new HttpProblem('request/unavailable', 'The request took too long. Try again.'))
  quieten(reply)
}

/**
 * What its handler comes to behind the answer in its place is no fault of the program: Fastify
 * tells it as an error with a stack. Of a failure one line is left.
 */
function quieten(reply: FastifyReply): void {
  const { request, log } = reply
  const quiet = log.child({})
  quiet.warn = () => undefined
  quiet.error = (said: unknown) => {
    const error = Object(said).err
    request.log.warn({ event: 'failed-late', error: String(error) }, 'failed after its answer')
  }
  reply.log = quiet
}
