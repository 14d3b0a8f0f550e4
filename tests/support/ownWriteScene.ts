// What a round of "whoever has written sees it" needs: people at one process and at another one.
import { randomUUID } from 'node:crypto'
import pLimit from 'p-limit'
import sharp from 'sharp'
import type { Answer, Client } from './apiClient.ts'
import { delivery, gbp } from './goods.ts'
import { type Person, password, type TestApp } from './testApp.ts'

/** Somebody at the process where they write, and at the one where they read. */
export interface Somebody {
  id: string
  username: string
  email: string
  refresh: string
  here: Client
  there: Client
}

export interface Scene {
  app: TestApp
  admin: Somebody
  /** Nobody in particular. */
  here: Client
  there: Client
  /** A new customer; with a name, the one of that name in each round. */
  customer(name?: string): Promise<Somebody>
  /** The same person with another token. */
  with(token: string): Pick<Somebody, 'here' | 'there'>
}

/** One thing that is written, and what another process shows then. */
export interface Turn {
  write(): Promise<Answer>
  /** What the writer is shown elsewhere. */
  seen(written: Answer): Promise<unknown>
  expected: unknown
  /** It waits for read models itself: they cannot be held back for it. */
  waits?: true
}

/** Makes what has to be there before. */
export type OwnWrite = (on: Scene) => Promise<Turn>

/** A write that nobody reads: why. */
export interface Unread {
  unread: string
}

/** Passwords are hashed one after the other, and few may wait. */
const registering = pLimit(4)
const known = new Map<string, Promise<Person>>()

function register(app: TestApp, name?: string): Promise<Person> {
  const person = known.get(name ?? '') ?? registering(() => app.person())
  if (name !== undefined) known.set(name, person)
  return person
}

export function sceneOf(
  app: TestApp,
  client: (node: number, token?: string) => Client,
  [writes, reads]: readonly [number, number],
): Scene {
  const both = (token?: string) => ({ here: client(writes, token), there: client(reads, token) })
  const somebody = ({ id, username, email, access, refresh }: Person): Somebody => {
    return { id, username, email, refresh, ...both(access) }
  }
  return {
    app,
    ...both(),
    admin: somebody(app.admin),
    customer: async name => somebody(await register(app, name)),
    with: both,
  }
}

export const somebodyNew = () => {
  const username = `own-${randomUUID().slice(0, 13)}`
  return { username, email: `${username}@example.com`, password }
}

/** A product that is made at the process where the admin writes. */
export async function productOf({ admin }: Scene, details: object = {}): Promise<string> {
  const stock = { name: 'Ink', price: gbp(500), stock: 100 }
  return (await admin.here.post('/products', { ...stock, ...details })).body.id
}

export async function categoryOf({ admin }: Scene): Promise<string> {
  return (await admin.here.post('/categories', { name: `Shelf ${randomUUID()}` })).body.id
}

/** An order of two pieces, paid where that is asked for. */
export async function orderBy(on: Scene, who: Somebody, isPaid = true): Promise<string> {
  const items = [{ productId: await productOf(on), quantity: 2 }]
  const { orderId } = (await who.here.post('/orders', { ...delivery, items })).body
  if (isPaid) await who.here.post(`/orders/${orderId}/pay`, {})
  return orderId
}

export async function pictureForm() {
  const background = { r: 1, g: 2, b: 3 }
  const image = sharp({ create: { width: 9, height: 9, channels: 3, background } })
  const head = '--b\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\n'
  const parts = [
    `${head}content-type: image/png\r\n\r\n`,
    await image.png().toBuffer(),
    '\r\n--b--',
  ]
  return new Uint8Array(Buffer.concat(parts.map(part => Buffer.from(part))))
}

export const multipart = { headers: { 'content-type': 'multipart/form-data; boundary=b' } }

/** Asks again where a read model is behind: that is no wrong answer. */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let left = 5; ; left -= 1) {
    try {
      return await ask()
    } catch (error) {
      if (left === 0 || !String(error).includes('projection-behind')) throw error
    }
  }
}

/** A field of a body, wherever it is: `price.amount`, `data.0.id`. */
export function at({ body }: Answer, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => Object(value)[name], body)
}

/** The same of several answers at once. */
export async function fields(...wanted: [Promise<Answer>, string][]): Promise<unknown[]> {
  return Promise.all(wanted.map(async ([answer, path]) => at(await answer, path)))
}

/** How some requests are answered. */
export async function statuses(...answers: Promise<Answer>[]): Promise<number[]> {
  return (await Promise.all(answers)).map(({ status }) => status)
}
