// A request that reaches a process which is about to end.
import { connect } from 'node:net'
import { expect, it } from 'vitest'
import { startTestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

it('is answered 503 as a problem with Retry-After', async () => {
  const app = await startTestApp({ workers: false })
  try {
    const { hostname, port } = new URL(app.url)
    const socket = connect(Number(port), hostname)
    let answer = ''
    socket.on('data', bytes => {
      answer += bytes
    })
    socket.write(`GET /healthz HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`)
    await waitFor('the connection', () => answer.endsWith('}'))
    answer = ''
    // A request that has begun keeps its connection open while the server closes.
    socket.write(`GET /api/products HTTP/1.1\r\nhost: ${hostname}\r\n`)
    // By the time this is answered, what was written before has been read.
    await fetch(`${app.url}/healthz`)
    const stopped = app.stop()
    const refuses = () =>
      fetch(`${app.url}/healthz`).then(
        ({ status }) => status === 503,
        () => true,
      )
    await waitFor('the end of the door', refuses)
    socket.write('\r\n')
    await waitFor('the answer', () => answer.includes('\r\n\r\n{'))
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1\.1 503 /)
    const headers = head.toLowerCase()
    expect(headers).toContain('content-type: application/problem+json; charset=utf-8')
    expect(headers).toContain('retry-after: 1')
    expect(headers).toContain('connection: close')
    expect(headers).toMatch(/x-request-id: \S+/)
    expect(JSON.parse(body)).toMatchObject({ type: '/problems/request/unavailable', status: 503 })
    await stopped
  } finally {
    await app.close()
  }
}, 60_000)
