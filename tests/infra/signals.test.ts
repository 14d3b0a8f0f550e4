// Connections to Redis: calls between the processes of one shop and of no other, and silence.
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  createRedis,
  createSignals,
  type Redis,
  type Signals,
} from '../../src/infra/redis/redis.ts'
import { cuttableProxy } from '../support/cuttableProxy.ts'
import { testRedis } from '../support/redis.ts'
import { waitFor } from '../support/waitFor.ts'

const shops: { redis: Redis; signals: Signals; heard: string[]; release(): Promise<void> }[] = []
beforeAll(async () => {
  for (const { url, release } of [await testRedis(), await testRedis()]) {
    const redis = createRedis(url)
    shops.push({ redis, signals: createSignals(redis), heard: [], release })
  }
})
afterAll(async () => {
  for (const { redis, signals, release } of shops) {
    signals.close()
    redis.disconnect()
    await release()
  }
})

it('stay within a logical database', async () => {
  for (const { signals, heard } of shops) signals.on('news', text => heard.push(text))
  const [one, other] = shops
  await waitFor('both to listen', async () => {
    for (const [shop, { signals }] of shops.entries()) signals.send('news', `of shop ${shop}`)
    return shops.every(({ heard }) => heard.length > 0)
  })
  expect(new Set(one?.heard)).toEqual(new Set(['of shop 0']))
  expect(new Set(other?.heard)).toEqual(new Set(['of shop 1']))
})

it('are heard again, and commands done, once a connection has gone silent', async () => {
  const server = await testRedis()
  const url = new URL(server.url)
  const proxy = await cuttableProxy(url.hostname, Number(url.port))
  url.host = `127.0.0.1:${proxy.port}`
  const redis = createRedis(url.href)
  const signals = createSignals(redis)
  const sender = createRedis(server.url)
  const heard: string[] = []
  signals.on('news', text => heard.push(text))
  const told = (text: string) => async () => {
    await sender.publish(`news@${url.pathname.slice(1)}`, text)
    return heard.includes(text)
  }
  await waitFor('the first news', told('before'))
  expect(await redis.set('key', 'value')).toBe('OK')
  proxy.silence()
  // It fails in good time, before the connection is found to be dead.
  await expect(redis.get('key')).rejects.toThrow('Command timed out')
  await waitFor('an answer', async () => (await redis.get('key').catch(() => '')) === 'value')
  await waitFor('the next news', told('after'))
  signals.close()
  for (const each of [redis, sender]) each.disconnect()
  await proxy.close()
  await server.release()
})

it('are heard again, and the process lives, when a new connection may not subscribe', async () => {
  const server = await testRedis()
  const admin = createRedis(server.url)
  const user = `user-${process.pid}`
  const url = new URL(server.url)
  Object.assign(url, { username: user, password: 'secret' })
  await admin.call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '&*', '+@all')
  const redis = createRedis(url.href)
  const signals = createSignals(redis)
  const heard: string[] = []
  signals.on('news', text => heard.push(text))
  const told = (text: string) => async () => {
    await admin.publish(`news@${url.pathname.slice(1)}`, text)
    return heard.includes(text)
  }
  await waitFor('the first news', told('before'))
  // One that nobody waits for would end a process.
  const rejections: unknown[] = []
  const note = (reason: unknown) => void rejections.push(reason)
  process.on('unhandledRejection', note)
  await admin.call('ACL', 'SETUSER', user, '-subscribe')
  await admin.call('CLIENT', 'KILL', 'USER', user)
  await waitFor('refused subscriptions', async () => {
    const refusals = JSON.stringify(await admin.call('ACL', 'LOG', '128'))
    return refusals.includes(user) && refusals.includes('subscribe')
  })
  await admin.call('ACL', 'SETUSER', user, '+subscribe')
  await waitFor('the next news', told('after'))
  process.off('unhandledRejection', note)
  expect(rejections).toEqual([])
  signals.close()
  await admin.call('ACL', 'DELUSER', user)
  for (const each of [redis, admin]) each.disconnect()
  await server.release()
})
