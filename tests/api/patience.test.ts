// Nobody waits for ever: what does not answer in time is answered for.
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { handleError, sendProblem } from '../../src/api/http/problems.ts'
import { useRequestTimeout } from '../../src/api/http/requestTimeout.ts'
import { waitFor } from '../support/waitFor.ts'

describe('a route that takes too long', () => {
  let server: FastifyInstance
  let url: string
  /** What the server has logged. */
  const logged: { level: number; msg: string }[] = []
  /** Ends the handler that waits. */
  let end: { [how in 'resolve' | 'reject']: (value: unknown) => void }

  beforeAll(async () => {
    const held = () => {
      const { promise, ...ends } = Promise.withResolvers<unknown>()
      end = ends
      return promise
    }
    const stream = { write: (line: string) => logged.push(JSON.parse(line)) }
    server = fastify({ logger: { level: 'info', stream } })
    server.setErrorHandler(handleError)
    useRequestTimeout(server, 50)
    server.addHook('onSend', (request, _, payload, done) => {
      if (request.url.startsWith('/noted')) void held().then(() => done(null, payload))
      else done(null, payload)
    })
    server.get('/noted', async () => ({ ok: true }))
    server.get('/noted-late', held)
    server.get('/never', () => new Promise(() => undefined))
    server.get('/at-once', async () => ({ ok: true }))
    server.get('/patient', { config: { timeoutMs: 60_000 } }, async () => {
      await new Promise(resolve => setTimeout(resolve, 1_200))
      return { ok: true }
    })
    server.get<{ Querystring: { code: string } }>('/fails', async ({ query }) => {
      throw Object.assign(new Error('went wrong'), { code: query.code })
    })
    server.get('/returns', held)
    server.get('/sends', async (_, reply) => reply.code(201).send(await held()))
    server.get('/refuses', async (_, reply) => {
      sendProblem(reply, 'request/invalid', String(await held()))
      return reply
    })
    server.get('/hooked', { preHandler: async () => void (await held()) }, async () => ({ ok: 1 }))
    server.get('/half', (_, reply) => {
      const body = new Readable({ read: () => undefined })
      body.push('half of it')
      return reply.send(body)
    })
    server.post('/takes', async () => ({ ok: true }))
    server.post('/patient', { config: { timeoutMs: 60_000 } }, async () => ({ ok: true }))
    const refuse = async (_: unknown, reply: FastifyReply) => reply.code(401).send({})
    server.post('/refuses', { config: { timeoutMs: 60_000 }, onRequest: refuse }, async () => ({
      ok: true,
    }))
    url = await server.listen({ host: '127.0.0.1', port: 0 })
  })
  afterAll(() => server.close())

  it('whose response is on its way is not answered a second time', async () => {
    const noted = fetch(`${url}/noted`)
    // Asked later, it is answered later: by then the time of the first one is over as well.
    expect((await fetch(`${url}/never`)).status).toBe(503)
    expect((await fetch(`${url}/never`)).status).toBe(503)
    end.resolve(undefined)
    const answer = await noted
    expect([answer.status, await answer.json()]).toEqual([200, { ok: true }])
  })

  it('is answered once, also when it ends while the 503 is on its way', async () => {
    const noted = fetch(`${url}/noted-late`)
    expect((await fetch(`${url}/at-once`)).status).toBe(200)
    const handler = end
    await waitFor('the 503 to be held', async () => end !== handler)
    const answer = end
    handler.resolve({ ok: true })
    await nextTurn()
    answer.resolve(undefined)
    // Where the handler's answer is on its way as well, it is held like the first.
    end.resolve(undefined)
    expect((await noted).status).toBe(503)
    expect((await fetch(`${url}/at-once`)).status).toBe(200)
  })

  it('is answered with 503, and when to try again', async () => {
    const response = await fetch(`${url}/never`)
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(await response.json()).toMatchObject({ type: '/problems/request/unavailable' })
  })

  it.each([
    ['/returns', 'resolve'],
    ['/returns', 'reject'],
    ['/sends', 'resolve'],
    ['/sends', 'reject'],
    ['/refuses', 'resolve'],
    ['/hooked', 'resolve'],
    ['/hooked', 'reject'],
  ] as const)('is answered once where it ends later: %s, %s', async (path, how) => {
    logged.length = 0
    const response = await fetch(`${url}${path}`)
    expect(await response.json()).toMatchObject({ status: 503 })
    end[how](how === 'reject' ? new Error('too late') : { ok: true })
    await nextTurn()
    await nextTurn()
    const isLate = how === 'reject' && path !== '/hooked'
    const loud = logged.filter(({ level }) => level > 30)
    const line = { level: 40, msg: 'failed after its answer', error: 'Error: too late' }
    expect(loud).toEqual(isLate ? [expect.objectContaining(line)] : [])
    expect(JSON.stringify(loud)).not.toContain(' at ')
  })

  it.each([
    ['57P01', 503, '1'],
    ['53100', 503, '1'],
    ['ECONNRESET', 503, '1'],
    ['42P01', 500, null],
    ['ENOENT', 500, null],
  ])('or fails with %s is answered %i', async (code, status, retryAfter) => {
    const response = await fetch(`${url}/fails?code=${code}`)
    expect(response.status).toBe(status)
    expect(response.headers.get('retry-after')).toBe(retryAfter)
  })

  it('is cut off where its answer has begun and does not end', async () => {
    const response = await fetch(`${url}/half`)
    expect(response.status).toBe(200)
    await expect(response.text()).rejects.toThrow('terminated')
  })

  it('has the time that it asks for', async () => {
    expect(await (await fetch(`${url}/patient`)).json()).toEqual({ ok: true })
  })

  it('answers 408 where the request does not arrive, and ends the connection', async () => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.write('POST /takes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n')
    socket.write('Content-Length: 100\r\n\r\n{')
    const answer = await text(socket)
    expect(answer).toMatch(/^HTTP\/1.1 408 /)
    expect(answer).toContain('/problems/request/timeout')
  })

  it('ends a connection whose request goes on after its answer', async () => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    const drip = setInterval(() => socket.write('x'), 100)
    socket.on('error', () => undefined).on('close', () => clearInterval(drip))
    socket.write('POST /refuses HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n')
    socket.write('Content-Length: 10000\r\n\r\n{')
    const answer = await text(socket).catch(String)
    expect(answer).toMatch(/^(HTTP\/1.1 401 |Error: read ECONNRESET)/)
  })

  it('lets a file come as slowly as its route does', async () => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.write('POST /patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n')
    socket.write('Connection: close\r\nContent-Length: 2\r\n\r\n{')
    await new Promise(resolve => setTimeout(resolve, 1_200))
    socket.write('}')
    expect(await text(socket)).toMatch(/^HTTP\/1.1 200 /)
  })

  it('does not make others wait', async () => {
    expect(await (await fetch(`${url}/at-once`)).json()).toEqual({ ok: true })
  })
})
