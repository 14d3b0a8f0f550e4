// Images over HTTP: what is taken, what is refused, and how they are served.
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem, newKey, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let shopper: Person
beforeAll(async () => {
  app = await startTestApp()
  shopper = await app.person()
})
afterAll(() => app?.close())

type Format = 'png' | 'jpeg' | 'webp' | 'avif'
let colour = 0

/** A picture of a colour of its own. */
async function picture(format: Format, width = 800, height = 400): Promise<Buffer> {
  colour += 1
  const background = { r: colour % 256, g: 90, b: 40 }
  const image = sharp({ create: { width, height, channels: 3, background } })
  return image.toFormat(format).toBuffer()
}

interface Sent {
  file?: Uint8Array
  type?: string
  alt?: string
  extra?: Record<string, string>
  key?: string
  token?: string
  method?: string
}

interface Uploaded {
  position: string
  type: string
  limit?: number
  image: { id: string; url: string; variants: { medium: string } }
  errors?: { pointer: string }[]
}

async function send(path: string, sent: Sent) {
  const form = new FormData()
  if (sent.alt !== undefined) form.append('alt', sent.alt)
  for (const [name, value] of Object.entries(sent.extra ?? {})) form.append(name, value)
  if (sent.file !== undefined) {
    const blob = new Blob([new Uint8Array(sent.file)], { type: sent.type ?? 'image/png' })
    form.append('file', blob, '../../etc/passwd.png')
  }
  const response = await fetch(`${app.url}/api${path}`, {
    method: sent.method ?? 'POST',
    body: form,
    headers: {
      authorization: `Bearer ${sent.token ?? app.admin.access}`,
      ...(sent.key === undefined ? {} : { 'idempotency-key': sent.key }),
    },
  })
  const { status, headers } = response
  const body: Uploaded = JSON.parse(await response.text())
  const contentType = (headers.get('content-type') ?? '').split(';')[0] ?? ''
  const bare = `/api${path}`
  app.contract.check({ method: sent.method ?? 'POST', path: bare, status, contentType, body })
  return { status, headers, body }
}

const upload = (productId: string, sent: Sent) => send(`/products/${productId}/images`, sent)

async function fetched(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${app.url}${url}`, { headers })
  const content = Buffer.from(await response.arrayBuffer())
  return { status: response.status, headers: response.headers, content }
}

describe('an image of a product', () => {
  it.each(['png', 'jpeg', 'webp', 'avif'] as const)('can be %s', async format => {
    const { id } = await newProduct(app)
    const file = await picture(format)
    const added = await upload(id, { file, type: `image/${format}`, alt: 'A lantern' })
    expect(added.status, JSON.stringify(added.body)).toBe(201)
    const { body } = await app.anyone.get(`/products/${id}`, { after: added.body.position })
    expect(body.images).toEqual([added.body.image])
    expect(added.body.image).toMatchObject({ alt: 'A lantern', width: 800, height: 400 })
    const { status, headers, content } = await fetched(added.body.image.url)
    expect([status, headers.get('content-type')]).toEqual([200, 'image/webp'])
    expect(await sharp(content).metadata()).toMatchObject({ format: 'webp', width: 800 })
  })

  it('comes in sizes, for good, with an ETag, and is never sniffed', async () => {
    const { id } = await newProduct(app)
    const { body } = await upload(id, { file: await picture('png', 2_000, 1_000) })
    const url = body.image.variants.medium
    const isMade = async () => {
      const { headers } = await fetched(url)
      return headers.get('cache-control')?.includes('immutable') === true
    }
    await waitFor('the sizes are made', isMade)
    const { headers, content } = await fetched(url)
    expect(await sharp(content).metadata()).toMatchObject({ width: 600, height: 300 })
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin')
    const etag = headers.get('etag') ?? ''
    expect((await fetched(url, { 'if-none-match': etag })).status).toBe(304)
  })

  it('is upright and has nothing left of what the camera wrote into it', async () => {
    const { id } = await newProduct(app)
    const exif = { IFD0: { Copyright: 'Jane Doe', Artist: 'Jane Doe' } }
    const file = await sharp(await picture('jpeg', 300, 100))
      .withMetadata({ orientation: 6, exif })
      .jpeg()
      .toBuffer()
    expect(file.includes('Jane Doe')).toBe(true)
    const { body } = await upload(id, { file, type: 'image/jpeg' })
    expect(body.image).toMatchObject({ width: 100, height: 300 })
    const { content } = await fetched(body.image.url)
    expect(content.includes('Jane Doe')).toBe(false)
    const shown = await sharp(content).metadata()
    expect(shown).toMatchObject({ width: 100, height: 300 })
    expect(shown.exif).toBeUndefined()
  })

  it('is taken away again', async () => {
    const { id } = await newProduct(app)
    const { body } = await upload(id, { file: await picture('png') })
    const path = `/products/${id}/images/${body.image.id}`
    expectProblem(await shopper.client.delete(path), 403, 'command/forbidden')
    const removed = await app.admin.client.delete(path)
    const read = await app.anyone.get(`/products/${id}`, { after: removed.body.position })
    expect(read.body.images).toEqual([])
    expectProblem(await app.admin.client.delete(path), 404, 'product/image-not-found')
  })

  it('is added once however often it is sent under one key', async () => {
    const { id } = await newProduct(app)
    const sent = { file: await picture('png'), key: newKey() }
    const first = await upload(id, sent)
    const again = await upload(id, sent)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(again.body).toEqual(first.body)
    const { body } = await app.anyone.get(`/products/${id}`, { after: again.body.position })
    expect(body.images).toHaveLength(1)
    expect((await upload(id, { ...sent, file: await picture('png') })).status).toBe(422)
  })

  it('is the eleventh and refused', async () => {
    const { id } = await newProduct(app)
    const file = await picture('png', 20, 20)
    for (let count = 0; count < 10; count += 1) {
      expect((await upload(id, { file })).status).toBe(201)
    }
    expect(await upload(id, { file })).toMatchObject({
      status: 409,
      body: { type: '/problems/product/image-limit', limit: 10 },
    })
  })
})

describe('a file that is no image to show', () => {
  const html = Buffer.from('<html><script>alert(1)</script></html>')
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')

  it('is refused, whatever it says of itself', async () => {
    const { id } = await newProduct(app)
    const png = await picture('png')
    for (const [file, type] of [
      [html, 'image/png'],
      [svg, 'image/svg+xml'],
      [svg, 'image/png'],
      [Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), html]), 'image/png'],
      [png, 'image/jpeg'],
      [png, 'text/html'],
      [await sharp(png).gif().toBuffer(), 'image/png'],
    ] as const) {
      const { status, body } = await upload(id, { file, type })
      expect([status, body.type]).toEqual([415, '/problems/request/unsupported'])
    }
    const { body } = await app.admin.client.get(`/products/${id}`)
    expect(body.images).toEqual([])
  })

  it('is refused when it is cut off, unfolds to too much, or is too large', async () => {
    const { id } = await newProduct(app)
    const whole = await picture('jpeg', 1_500, 1_500)
    const cut = await upload(id, { file: whole.subarray(0, whole.length / 2), type: 'image/jpeg' })
    expect([cut.status, cut.body.errors?.[0]?.pointer]).toEqual([400, '/file'])
    const bomb = await picture('png', 7_200, 7_200)
    expect(bomb.length).toBeLessThan(1_000_000)
    expect((await upload(id, { file: bomb })).status).toBe(415)
    const large = Buffer.concat([await picture('png'), Buffer.alloc(5 * 1024 * 1024)])
    expect((await upload(id, { file: large })).status).toBe(413)
  })

  it('is refused when the form is not as it has to be', async () => {
    const { id } = await newProduct(app)
    const file = await picture('png')
    const problems = [
      await upload(id, { alt: 'nothing to see' }),
      await upload(id, { file, alt: 'x'.repeat(501) }),
      await upload(id, { extra: { colour: 'red' }, file }),
    ]
    expect(problems.map(({ status, body }) => [status, body.errors?.[0]?.pointer])).toEqual([
      [400, '/file'],
      [400, '/alt'],
      [400, '/colour'],
    ])
    const json = await app.admin.client.post(`/products/${id}/images`, { file: 'x' })
    expectProblem(json, 415, 'request/unsupported')
  })

  it('is refused from those who may not, and for what is not there', async () => {
    const { id } = await newProduct(app)
    const file = await picture('png')
    expect((await upload(id, { file, token: shopper.access })).status).toBe(403)
    expect((await upload('01980000-0000-7000-8000-00000000dead', { file })).status).toBe(404)
    const nowhere = `/api/images/${'0'.repeat(64)}/full`
    expect((await fetched(nowhere)).status).toBe(404)
    expect((await fetched('/api/images/..%2f..%2fetc/full')).status).toBe(400)
    expect((await fetched(`/api/images/${'0'.repeat(64)}/original`)).status).toBe(400)
  })
})

describe('the image of a category', () => {
  it('is set, replaced and taken away', async () => {
    const made = await app.admin.client.post('/categories', { name: 'Pictures' })
    const path = `/categories/${made.body.id}`
    await send(`${path}/image`, { method: 'PUT', file: await picture('png', 40, 40) })
    const second = await send(`${path}/image`, {
      method: 'PUT',
      file: await picture('webp', 50, 50),
      type: 'image/webp',
      alt: 'Fifty',
    })
    expect(second.status).toBe(201)
    const shown = await app.anyone.get(path, { after: second.body.position })
    expect(shown.body.image).toEqual(second.body.image)
    const listed = await app.anyone.get('/categories?pageSize=100')
    expect(listed.body.data).toContainEqual(expect.objectContaining({ image: second.body.image }))
    const removed = await app.admin.client.delete(`${path}/image`)
    const bare = await app.anyone.get(path, { after: removed.body.position })
    expect(bare.body.image).toBeNull()
  })
})

describe('somebody who uploads many images at once', () => {
  it('is told to come later, and keeps nobody else waiting for all of them', async () => {
    const { id } = await newProduct(app)
    const file = await picture('png', 1_600, 1_200)
    let done = 0
    const many = Array.from({ length: 24 }, async () => {
      const answer = await upload(id, { file, key: newKey() })
      if (answer.status !== 503) done += 1
      return answer
    })
    // Who is refused is refused at once: then the others wait.
    await Promise.race(many)
    const other = await app.person('admin')
    const doneBefore = done
    const theirs = await upload((await newProduct(app)).id, { file, token: other.access })
    expect(theirs.status).toBe(201)
    expect(done - doneBefore).toBeLessThan(8)
    const refused = (await Promise.all(many)).filter(({ status }) => status === 503)
    expect(refused.length).toBeGreaterThan(0)
    for (const { headers } of refused) expect(headers.get('retry-after')).toBe('2')
  })
})
