// The load generator against servers that behave badly: it counts what comes, and believes nothing.
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { parse } from '../../bench/connection.ts'
import { drive } from '../../bench/drive.ts'
import { loadCandidates, refuseSurprises } from '../../bench/loader.ts'
import { type Call, unexpected } from '../../bench/loadPlan.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close().closeAllConnections())
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}`
}

function answering(statusOf: (count: number) => number): Promise<string> {
  let count = 0
  return serve((_, response) => {
    count += 1
    const text = JSON.stringify({ count })
    response.writeHead(statusOf(count), { 'content-length': text.length }).end(text)
  })
}

const get: Call = { method: 'GET', path: '/' }

describe('load', () => {
  it('sends what each connection is to send, once, with its token, body and own key', async () => {
    const seen: string[] = []
    const keys = new Set<unknown>()
    const url = await serve(async (request, response) => {
      let body = ''
      for await (const part of request) body += part
      keys.add(request.headers['idempotency-key'])
      seen.push(`${request.method} ${request.url} ${request.headers.authorization} ${body}`)
      response.writeHead(201, { 'content-length': 0 }).end()
    })
    const post = (token: string, item: string): Call => {
      return { method: 'POST', path: '/items', token, body: { item }, keyed: true }
    }
    const lanes = [[post('a', 'é'), post('a', 'y')], [post('b', 'z')]]
    const result = await drive({ url, lanes, expects: [201] })
    expect(seen.toSorted()).toEqual([
      'POST /items Bearer a {"item":"y"}',
      'POST /items Bearer a {"item":"é"}',
      'POST /items Bearer b {"item":"z"}',
    ])
    expect(keys.size).toBe(3)
    expect(result).toMatchObject({ requests: 3, statuses: { 201: 3 }, surprises: [] })
  })

  it('goes through its lists again until the time is over', async () => {
    const url = await answering(() => 200)
    const result = await drive({ url, lanes: [[get]], expects: [200], forMs: 300 })
    expect(result.requests).toBeGreaterThan(1)
  })

  it('ends with the answer to the last request that was due in time', async () => {
    const url = await answering(() => 200)
    const lanes = Array.from({ length: 8 }, () => [get])
    const result = await drive({ url, lanes, expects: [200], forMs: 300, perSecond: 10 })
    expect(result.requests).toBe(3)
    // The next request of each connection would be due after 0.8 s.
    expect(result.requests / result.perSecond).toBeLessThan(0.7)
  })

  it('fails when a connection breaks', async () => {
    const url = await serve(request => request.socket.destroy())
    const broken = drive({ url, lanes: [[get]], expects: [200] })
    await expect(broken).rejects.toThrow(/closed a connection|ECONNRESET/)
  })
})

describe('an answer that was not expected', () => {
  it('is counted and shown', async () => {
    const url = await answering(count => (count === 2 ? 500 : 200))
    const result = await drive({ url, lanes: [[get, get, get]], expects: [200] })
    expect(result.statuses).toEqual({ 200: 2, 500: 1 })
    expect(result.surprises).toEqual(['500 {"count":2}'])
    expect(unexpected(result, [200])).toBe(1)
  })

  it('fails the benchmark, even when it is one among many', async () => {
    const url = await answering(count => (count === 150 ? 503 : 200))
    const lanes = [Array.from({ length: 200 }, () => get)]
    const [rate] = loadCandidates('a path', async () => {
      const result = await drive({ url, lanes, expects: [200] })
      refuseSurprises('a path', result, [200])
      return { ...result, processor: {} }
    })
    await expect(rate?.run(0)).rejects.toThrow(
      'a path: 1 of 200 answers were not 200: 503 {"count":150}',
    )
  })

  it('does not matter where it is expected after all', async () => {
    const url = await answering(count => (count > 100 ? 409 : 201))
    const lanes = [Array.from({ length: 200 }, () => get)]
    const result = await drive({ url, lanes, expects: [201, 409] })
    expect(() => refuseSurprises('a sale', result, [201, 409])).not.toThrow()
    expect(result.statuses).toEqual({ 201: 100, 409: 100 })
  })
})

describe('a load that sends nothing', () => {
  it('has no figure', async () => {
    const url = await answering(() => 200)
    const result = await drive({ url, lanes: [[]], expects: [200] })
    expect(() => refuseSurprises('nothing', result, [200])).toThrow('0 of 0 answers')
  })
})

describe('reading an answer', () => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'

  it('waits for the rest of it', () => {
    expect(parse(Buffer.from('HTTP/1.1 200 OK\r\nConte'))).toBeUndefined()
    expect(parse(Buffer.from(`${head}hell`))).toBeUndefined()
    expect(parse(Buffer.from(`${head}hello`))).toEqual({ status: 200, body: Buffer.from('hello') })
  })

  it('takes one without content as it is', () => {
    expect(parse(Buffer.from('HTTP/1.1 304 Not Modified\r\n\r\n'))).toMatchObject({ status: 304 })
  })

  it('refuses one that does not say how long it is', () => {
    expect(parse(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))).toBeInstanceOf(Error)
  })
})
