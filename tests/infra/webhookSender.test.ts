// The guard on addresses that strangers name: nothing of ours is reached, whatever it is called.
import { createServer } from 'node:http'
import type { AddressInfo, LookupFunction } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createWebhookSender } from '../../src/infra/webhooks/webhookSender.ts'
import { waitFor } from '../support/waitFor.ts'

const request = (url: string) => ({ url, headers: {}, body: '{}' })

/** A resolver that knows one name. */
const resolving = (...addresses: string[]): LookupFunction => {
  return (_, options, done) => {
    const found = addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 }))
    const [first] = found
    if (options.all === true) done(null, found)
    else done(null, first?.address ?? '', first?.family)
  }
}

const closed = [
  ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.8.8.8', '169.254.169.254'],
  ...['172.16.0.1', '172.31.255.255', '192.168.1.1', '198.18.0.1', '192.0.2.1', '224.0.0.1'],
  ...['255.255.255.255', '240.0.0.1', '::', '::1', 'fe80::1', 'fc00::1', 'fd12:3456::1'],
  ...['ff02::1', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '::127.0.0.1', '64:ff9b::7f00:1'],
  ...['2002:7f00:1::', '2001::1', '2001:db8::1', 'fd00:ec2::254'],
]
const open = ['8.8.8.8', '172.15.255.255', '172.32.0.1', '2606:4700::1111', '2a00:1450:4001::1']

describe('an address', () => {
  const sender = createWebhookSender({ allowedNetworks: [] })
  const urlOf = (address: string) =>
    address.includes(':') ? `https://[${address}]/` : `https://${address}/`

  it.each(closed)('%s is refused', address => {
    expect(sender.refusalOf(urlOf(address))).toBeTypeOf('string')
  })

  it.each(open)('%s is not', address => {
    expect(sender.refusalOf(urlOf(address))).toBeUndefined()
  })

  it.each(['https://2130706433/', 'https://0x7f.1/', 'https://127.1/', 'https://0177.0.0.1/'])(
    'written as %s is recognised',
    url => expect(sender.refusalOf(url)).toBeTypeOf('string'),
  )
})

describe('a name', () => {
  it.each(closed)('that means %s is not connected to', async address => {
    const sender = createWebhookSender({ allowedNetworks: [], lookup: resolving(address) })
    expect(await sender.send(request('https://hooks.example.com/'))).toEqual({ error: 'refused' })
  })

  it('that means a closed address among open ones is not connected to', async () => {
    const lookup = resolving('8.8.8.8', '127.0.0.1')
    const sender = createWebhookSender({ allowedNetworks: [], lookup })
    expect(await sender.send(request('https://hooks.example.com/'))).toEqual({ error: 'refused' })
  })

  it('is connected to where it was checked, and not where it leads a moment later', async () => {
    const { port, close } = await listening((_, response) => void response.writeHead(204).end())
    let asked = 0
    const lookup: LookupFunction = (host, options, done) => {
      asked += 1
      resolving(asked === 1 ? '127.0.0.1' : '10.0.0.1')(host, options, done)
    }
    const sender = createWebhookSender({ allowedNetworks: ['127.0.0.1'], lookup })
    const answer = await sender.send(request(`http://hooks.example.com:${port}/`))
    await close()
    expect(answer).toEqual({ status: 204 })
    expect(asked).toBe(1)
  })
})

describe('plain http', () => {
  it('is refused where no network is allowed, and on the open internet', async () => {
    const none = createWebhookSender({ allowedNetworks: [] })
    expect(none.refusalOf('http://127.0.0.1/')).toBeTypeOf('string')
    const some = createWebhookSender({ allowedNetworks: ['127.0.0.0/8'] })
    expect(some.refusalOf('http://8.8.8.8/')).toBeTypeOf('string')
    expect(some.refusalOf('http://127.0.0.1/')).toBeUndefined()
  })
})

describe('a receiver', () => {
  const sender = createWebhookSender({ allowedNetworks: ['127.0.0.1'], timeoutMs: 500 })

  it('that never answers is waited for no longer than that', async () => {
    const { port, close } = await listening(() => undefined)
    const answer = await sender.send(request(`http://127.0.0.1:${port}/`))
    await close()
    expect(answer).toEqual({ error: 'timeout' })
  })

  it('that answers without end is not listened to without end', async () => {
    const written = { bytes: 0, isCut: false }
    const { port, close } = await listening((_, response) => {
      response.writeHead(200)
      response.on('close', () => Object.assign(written, { isCut: true }))
      const more = () => {
        if (written.isCut) return
        written.bytes += 65_536
        response.write(Buffer.alloc(65_536), more)
      }
      more()
    })
    const patient = createWebhookSender({ allowedNetworks: ['127.0.0.1'] })
    expect(await patient.send(request(`http://127.0.0.1:${port}/`))).toEqual({ status: 200 })
    await waitFor('the connection to be cut', () => written.isCut)
    await close()
  })

  it('that drips its answer is left two seconds behind its status', async () => {
    let isCut = false
    const { port, close } = await listening((_, response) => {
      response.writeHead(200)
      const dripping = setInterval(() => response.write('.'), 100)
      response.on('close', () => {
        clearInterval(dripping)
        isCut = true
      })
    })
    const patient = createWebhookSender({ allowedNetworks: ['127.0.0.1'], timeoutMs: 60_000 })
    expect(await patient.send(request(`http://127.0.0.1:${port}/`))).toEqual({ status: 200 })
    await waitFor('the connection to be cut', () => isCut)
    await close()
  })

  it('that is not there is told by a word', async () => {
    const { port, close } = await listening(() => undefined)
    await close()
    const answer = await sender.send(request(`http://127.0.0.1:${port}/`))
    expect(answer).toEqual({ error: 'econnrefused' })
  })
})

async function listening(onRequest: Parameters<typeof createServer>[1]) {
  const server = createServer(onRequest ?? (() => undefined))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: portOf(server.address()),
    close: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}
