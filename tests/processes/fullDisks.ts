// Disks that are full: what cannot be stored is refused as "later", never half stored, and all goes
// on by itself once there is room.
import { readdir } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import sharp from 'sharp'
import { waitFor } from '../support/waitFor.ts'
import type { Nemesis, Probe } from './nemeses.ts'
import type { DiskName, Disks, Platform, ShopProcess } from './platform.ts'

const noticeMs = 15_000
const fullMs = 4_000

/** Each needs disks of its own, which takes a machine that lets the tests mount them. */
export const fullDisks: Nemesis[] = [
  { name: 'the disk of PostgreSQL is full', strike: postgresIsFull },
  { name: 'the disk of Redis is full', strike: redisIsFull },
  { name: 'the disk of images is full', strike: imagesAreFull },
  { name: 'the disk of the audit directory is full', strike: auditIsFull },
  {
    name: 'the disk of the mail server is full',
    async strike({ disks }) {
      await whileFull(disks, 'mails', () => pause(fullMs))
      return 0
    },
  },
]

async function whileFull(
  disks: Disks | undefined,
  name: DiskName,
  work: () => Promise<unknown>,
): Promise<void> {
  const disk = disks?.[name]
  if (disk === undefined) throw new Error(`there is no disk of its own for ${name}`)
  disk.fill()
  try {
    await work()
  } finally {
    disk.free()
  }
}

async function postgresIsFull(platform: Platform, _: unknown, probe: Probe): Promise<number> {
  const { apis, disks, postgres } = platform
  await whileFull(disks, 'postgres', async () => {
    const noticed = apis.map(api =>
      waitFor(
        `${api.name} to say that it cannot write`,
        async () => {
          await later(await addToCart(api, probe))
          const { status, body } = await readiness(api)
          return status === 503 && /disk|postgres/.test(body)
        },
        noticeMs,
      ),
    )
    await Promise.all(noticed)
    await pause(fullMs)
  })
  // A server that could not write its log may have ended: whoever runs it starts it again.
  await postgres.revive()
  return 0
}

async function redisIsFull(platform: Platform, _: unknown, probe: Probe): Promise<number> {
  const { apis, disks, config } = platform
  const redis = new Redis(config.redisUrl.reveal())
  redis.on('error', () => undefined)
  try {
    await whileFull(disks, 'redis', async () => {
      await waitFor(
        'Redis to refuse what it cannot store',
        () =>
          redis.set('filler', 'x'.repeat(10_000)).then(
            () => false,
            error => String(error).includes('MISCONF'),
          ),
        noticeMs,
      )
      for (const api of apis) {
        await waitFor(
          `${api.name} to be degraded`,
          async () => {
            const { status, body } = await readiness(api)
            return status === 200 && body.includes('"degraded"') && body.includes('redis')
          },
          noticeMs,
        )
        await waitFor(
          `${api.name} to take commands`,
          async () => (await addToCart(api, probe)).status < 300,
          noticeMs,
        )
      }
      await pause(fullMs)
    })
    await redis.del('filler').catch(() => undefined)
  } finally {
    redis.disconnect()
  }
  return 0
}

async function imagesAreFull({ apis, disks, config }: Platform, _: unknown, probe: Probe) {
  const files = async () =>
    (await readdir(config.filesDirectory, { recursive: true })).filter(name =>
      /(tmp|original|webp)$/.test(name),
    )
  const before = await files()
  await whileFull(disks, 'files', async () => {
    for (const api of apis) await later(await uploadImage(api, probe), true)
  })
  const left = (await files()).filter(name => !before.includes(name))
  if (left.length > 0) throw new Error(`files were left half stored: ${left.join(', ')}`)
  for (const api of apis) {
    const { status } = await uploadImage(api, probe)
    if (status !== 201) throw new Error(`${api.name} answered ${status} to an image`)
  }
  return 0
}

async function auditIsFull({ apis, disks }: Platform, _: unknown, { password }: Probe) {
  const [api] = apis
  if (api === undefined) throw new Error('there is no API')
  const name = `leaving-${Date.now()}`
  const registered = await send(api, '', {
    path: '/auth/register',
    body: { username: name, email: `${name}@example.com`, password },
  })
  const token = String(JSON.parse(await registered.text()).tokens?.access)
  const leave = () =>
    send(api, token, { method: 'DELETE', path: '/auth/profile', body: { password } })
  await whileFull(disks, 'audit', async () => {
    await later(await leave(), true)
    // Checkpoints are to be published meanwhile.
    await pause(2 * fullMs)
  })
  await waitFor(`${name} to be erased`, async () => (await leave()).status < 300, noticeMs)
  return 0
}

/** What cannot be done now has to say so; `isFull` where it must not be done either. */
async function later(response: Response, isFull = false): Promise<void> {
  const text = await response.text()
  if (response.status < 300 && !isFull) return
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json')
  if (response.status === 503 && isProblem && response.headers.has('retry-after')) return
  throw new Error(`${response.url} answered ${response.status}: ${text.slice(0, 500)}`)
}

async function readiness({ url }: ShopProcess) {
  const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) })
  return { status: response.status, body: await response.text() }
}

const addToCart = (api: ShopProcess, { token, productId }: Probe) =>
  send(api, token, { path: '/cart/items', body: { productId, quantity: 1 } })

let shade = 0

/** Of a colour that was not sent before, so that it is another file. */
async function uploadImage(api: ShopProcess, { admin, productId }: Probe): Promise<Response> {
  shade += 1
  const background = { r: shade % 256, g: Math.floor(shade / 256) % 256, b: Date.now() % 256 }
  const size = { width: 400, height: 300, channels: 3 as const }
  const noise = { type: 'gaussian' as const, mean: 128, sigma: 30 }
  const picture = await sharp({ create: { ...size, background, noise } })
    .png()
    .toBuffer()
  const form = new FormData()
  form.set('file', new Blob([new Uint8Array(picture)], { type: 'image/png' }), 'picture.png')
  return send(api, admin, { path: `/products/${productId}/images`, body: form })
}

interface Sent {
  method?: string
  path: string
  body: object
}

function send({ url }: ShopProcess, token: string, { method = 'POST', path, body }: Sent) {
  const isForm = body instanceof FormData
  return fetch(`${url}/api${path}`, {
    method,
    headers: {
      'idempotency-key': `full-${Date.now()}-${Math.random()}`,
      ...(token !== '' && { authorization: `Bearer ${token}` }),
      ...(!isForm && { 'content-type': 'application/json' }),
    },
    body: isForm ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(15_000),
  })
}
