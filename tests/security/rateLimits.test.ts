// Limits as clients see them: who is counted, by what, and what they are told.
import { type FastifyBaseLogger, fastify } from 'fastify'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addressOf } from '../../src/api/http/addresses.ts'
import { warnOfUntrustedProxies } from '../../src/api/http/untrustedProxy.ts'
import type { Answer } from '../support/apiClient.ts'
import { atOnce, expectProblem } from '../support/goods.ts'
import { password, startTestApp, type TestApp } from '../support/testApp.ts'

const small = {
  RATE_LIMITS: 'on',
  RATE_LIMIT_WRITES: '5',
  RATE_LIMIT_READS: '8',
  RATE_LIMIT_FAILED_LOGINS: '3',
  RATE_LIMIT_REGISTRATIONS: '4',
  RATE_LIMIT_REFRESHES: '3',
  RATE_LIMIT_MISSES: '4',
  RATE_LIMIT_BULK: '2',
}

let app: TestApp
let direct: TestApp
beforeAll(async () => {
  app = await startTestApp({ settings: { ...small, TRUST_PROXY: '127.0.0.1' } })
  direct = await startTestApp({ settings: small })
})
afterAll(async () => {
  await app?.close()
  await direct?.close()
})

const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })
let networks = 0
const somewhere = () => {
  networks += 1
  return from(`198.51.100.${networks}`)
}

const register = (on: TestApp, name: string, wanted: object) =>
  on.anyone.post(
    '/auth/register',
    { username: name, email: `${name}@example.com`, password },
    wanted,
  )

const newcomer = async (name: string) => {
  const { body } = await register(app, name, somewhere())
  const { tokens } = body
  if (typeof tokens !== 'object' || tokens === null || !('access' in tokens)) throw new Error(name)
  return app.as(String(tokens.access))
}

const statuses = (answers: readonly Answer[]) => answers.map(({ status }) => status)

describe('somebody who is signed in', () => {
  it('is told what is left, and refused above the limit until the window ends', async () => {
    const client = await newcomer('reader')
    const first = await client.get('/cart')
    expect(first.headers.get('ratelimit-policy')).toBe('"reads";q=8;w=60')
    expect(first.headers.get('ratelimit')).toMatch(/^"reads";r=7;t=(59|60)$/)
    const rest = await atOnce(7, () => client.get('/cart'))
    expect(new Set(statuses(rest))).toEqual(new Set([200]))
    const refused = await client.get('/cart')
    const problem = expectProblem(refused, 429, 'request/too-many')
    expect(problem).toMatchObject({ policy: 'reads' })
    expect(refused.headers.get('retry-after')).toBe(String(problem.retryAfterSeconds))
    expect(refused.headers.get('ratelimit')).toMatch(/^"reads";r=0;t=\d+$/)
  })

  it('has as many commands, counted apart from reads and from other people’s', async () => {
    const [one, other] = [await newcomer('one'), await newcomer('other')]
    const change = { firstName: 'Ann' }
    const answers = await atOnce(7, () => one.patch('/auth/profile', change))
    expect(statuses(answers).filter(status => status === 200)).toHaveLength(5)
    expect(statuses(answers).filter(status => status === 429)).toHaveLength(2)
    expect((await one.get('/auth/profile')).status).toBe(200)
    expect((await other.patch('/auth/profile', change)).status).toBe(200)
  })

  it('is counted wherever the requests come from', async () => {
    const client = await newcomer('traveller')
    const answers = await atOnce(9, () => client.get('/cart', somewhere()))
    expect(statuses(answers).filter(status => status === 429)).toHaveLength(1)
  })
})

describe('trying passwords', () => {
  const tryOne = (username: string, given: string, wanted: object) =>
    app.anyone.post('/auth/login', { username, password: given }, wanted)

  it('ends after a few on one account from one address, and nobody is locked out', async () => {
    await newcomer('ann')
    const [thief, owner] = [somewhere(), somewhere()]
    const tries = await atOnce(8, () => tryOne('ann', 'guess', thief))
    expect(statuses(tries).filter(status => status === 401)).toHaveLength(3)
    expect(statuses(tries).filter(status => status === 429)).toHaveLength(5)
    expectProblem(await tryOne('ANN', password, thief), 429, 'request/too-many')
    expect((await tryOne('ann', password, owner)).status).toBe(200)
  })

  it('starts anew after the right one', async () => {
    await newcomer('ben')
    const home = somewhere()
    for (let round = 0; round < 3; round += 1) {
      expect((await tryOne('ben', 'guess', home)).status).toBe(401)
      expect((await tryOne('ben', 'guess', home)).status).toBe(401)
      expect((await tryOne('ben', password, home)).status).toBe(200)
    }
  })
})

describe('an address', () => {
  it('registers so many people and no more', async () => {
    const home = somewhere()
    for (const name of ['home1', 'home2', 'home3', 'home4']) {
      expect((await register(app, name, home)).status).toBe(201)
    }
    expectProblem(await register(app, 'home5', home), 429, 'request/too-many')
    expect((await register(app, 'away', somewhere())).status).toBe(201)
  })

  it('of the next generation stands for its network', async () => {
    const answers = []
    for (const host of [1, 2, 3, 4, 5]) {
      answers.push(await register(app, `six${host}`, from(`2001:db8:0:7::${host}`)))
    }
    expect(statuses(answers)).toEqual([201, 201, 201, 201, 429])
    expect((await register(app, 'seven', from('2001:db8:0:8::1'))).status).toBe(201)
  })

  it.each([
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:0DB8:0:0:ffff::', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['192.0.2.1', '192.0.2.1'],
  ])('%s counts as %s', (ip, counted) => expect(addressOf(ip)).toBe(counted))

  it('is believed only from a proxy that is known', async () => {
    const answers = []
    for (const host of [1, 2, 3, 4, 5]) {
      answers.push(await register(direct, `spoof${host}`, from(`192.0.2.${host}`)))
    }
    expect(statuses(answers)).toEqual([201, 201, 201, 201, 429])
  })

  it('whose tokens are all wrong is counted as a stranger’s', async () => {
    const wrong = await app.as('no.such.token').get('/cart', somewhere())
    expectProblem(wrong, 401, 'request/unauthenticated')
    expect(wrong.headers.get('ratelimit-policy')).toBe('"anonymous";q=1200;w=60')
  })
})

describe('a session', () => {
  it('gets so many new tokens an hour, from wherever, and others get theirs', async () => {
    const [mine, other] = [await signedUp('renewer'), await signedUp('another')]
    let token = mine
    for (let time = 0; time < 3; time += 1) {
      const answer = await renew(token)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('ratelimit')).toContain(`"refreshes";r=${2 - time}`)
      token = refreshOf(answer)
    }
    const refused = await renew(token)
    expect(expectProblem(refused, 429, 'request/too-many').policy).toBe('refreshes')
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(3_000)
    expect((await renew(other)).status).toBe(200)
  })

  it('that does not exist is counted as a stranger alone', async () => {
    const answer = await renew('x'.repeat(43))
    expectProblem(answer, 401, 'account/invalid-token')
    expect(answer.headers.get('ratelimit-policy')).not.toContain('refreshes')
  })

  const signedUp = async (name: string) => refreshOf(await register(app, name, somewhere()))
  const renew = (refresh: string) =>
    app.anyone.post('/auth/token/refresh', { refresh }, somewhere())
  const refreshOf = ({ body: { tokens } }: Answer) => {
    if (typeof tokens !== 'object' || tokens === null || !('refresh' in tokens)) return ''
    return String(tokens.refresh)
  }
})

describe('looking for what is not there', () => {
  it('ends after a few, and what is there stays open', async () => {
    const home = somewhere()
    const guess = (n: number) =>
      app.anyone.get(`/products/01980000-0000-7000-8000-00000000000${n}`, home)
    for (const n of [1, 2]) expectProblem(await guess(n), 404, 'product/not-found')
    for (const path of ['//admin.php', '//.env']) {
      expectProblem(await app.anyone.get(path, home), 404, 'request/not-found')
    }
    const refused = await guess(3)
    expect(expectProblem(refused, 429, 'request/too-many').policy).toBe('misses')
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
    expectProblem(await app.anyone.get('//wp-login.php', home), 429, 'request/too-many')
    expect((await app.anyone.get('/products', home)).status).toBe(200)
    expectProblem(await app.anyone.get('//.env', somewhere()), 404, 'request/not-found')
    // Whoever is signed in is counted by account, whoever else is at their address.
    expectProblem(await app.admin.client.get('//.env', home), 404, 'request/not-found')
  })
})

describe('much at once', () => {
  const lines = { headers: { accept: 'application/x-ndjson' } }
  const exported = (on: TestApp) =>
    fetch(`${on.url}/api/audit/events`, {
      headers: { ...lines.headers, authorization: `Bearer ${on.admin.access}` },
    })

  it('is had a few times an hour, and parts of it as often as other reads', async () => {
    for (const left of [1, 0]) {
      const answer = await exported(direct)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('ratelimit')).toContain(`"bulk";r=${left}`)
      await answer.text()
    }
    const refused = await exported(direct)
    expect(refused.status).toBe(429)
    expect(await refused.json()).toMatchObject({
      policy: 'bulk',
      type: '/problems/request/too-many',
    })
    const part = await direct.admin.client.get('/audit/events')
    expect(part.status).toBe(200)
    expect(part.headers.get('ratelimit-policy')).not.toContain('bulk')
  })
})

it('the shop can always be asked whether it is well', async () => {
  const { headers } = await app.anyone.get('//healthz')
  expect(headers.get('ratelimit-policy')).toBeNull()
})

describe('a proxy that TRUST_PROXY does not name', () => {
  const listening = async (trustProxy: string[]) => {
    const lines: string[] = []
    const log: FastifyBaseLogger = pino({ level: 'warn' }, { write: line => void lines.push(line) })
    const server = fastify({ loggerInstance: log, trustProxy })
    warnOfUntrustedProxies(server)
    server.get('/', async () => 'here')
    const ask = async (times: number, ip: string, headers: Record<string, string>) => {
      for (let time = 0; time < times; time += 1) {
        await server.inject({ url: '/', headers, remoteAddress: ip })
      }
      return lines.map(line => JSON.parse(line))
    }
    return ask
  }
  const forwarded = { 'x-forwarded-for': '192.0.2.7' }

  it('is told of once, and how to mend it', async () => {
    const ask = await listening(['10.0.0.1'])
    expect(await ask(19, '10.0.0.2', forwarded)).toEqual([])
    const said = await ask(200, '10.0.0.2', forwarded)
    expect(said).toMatchObject([{ event: 'untrusted-proxy', proxy: '10.0.0.2', level: 40 }])
    expect(said[0].msg).toMatch(/TRUST_PROXY/)
  })

  it('is not named where it may be a person', async () => {
    const ask = await listening([])
    expect((await ask(20, '203.0.113.9', forwarded))[0]).not.toHaveProperty('proxy')
  })

  it('is none where it is named, or forwards nothing', async () => {
    const ask = await listening(['10.0.0.0/8'])
    expect(await ask(100, '10.0.0.2', forwarded)).toEqual([])
    expect(await ask(100, '192.0.2.1', {})).toEqual([])
  })
})
