// kill -9 of the one process while orders come in: nothing is lost, doubled or left half-way.
import { appendFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { atRest, findings } from '../support/auditing.ts'
import { type CrashingApp, crashingShop } from '../support/crashingApp.ts'
import { shopOnce, startTraffic, type Traffic } from '../support/orderTraffic.ts'
import { randomFrom } from '../support/random.ts'
import { waitFor } from '../support/waitFor.ts'

const rounds = Number(process.env.CRASH_ROUNDS ?? 3)
const ordersARound = 25
const shoppers = 8
const seed = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000_000)

let app: CrashingApp | undefined
afterEach(() => app?.close(), 60_000)

/** A round of orders by all customers at once, in the middle of which the process is killed. */
async function crashRound(app: CrashingApp, scene: Traffic): Promise<{ kills: number }> {
  const { random } = scene
  let left = ordersARound
  const shopping = scene.customers.map(async customer => {
    while (left > 0) {
      left -= 1
      await shopOnce(scene, customer)
    }
  })
  let kills = 1
  await pause(random.between(5, 700))
  await app.kill()
  // Now and then it is killed again while it starts.
  if (random.next() < 0.3) {
    app.begin()
    await pause(random.between(50, 2_000))
    await app.kill()
    kills += 1
  }
  await app.start()
  await Promise.all(shopping)
  return { kills }
}

/** Each order that somebody was told about is there, and is nobody else's. */
function expectEachPlacedOnce(placed: Traffic['placed'], known: ReadonlySet<string>): void {
  const ids = placed.map(({ orderId }) => orderId)
  expect(ids.filter(orderId => !known.has(orderId))).toEqual([])
  expect(new Set(ids).size).toBe(ids.length)
}

async function placedMails(directory: string): Promise<string[]> {
  const folder = join(directory, 'mails')
  const files = (await readdir(folder)).filter(name => name.endsWith('.eml'))
  const texts = await Promise.all(files.map(name => readFile(join(folder, name), 'utf8')))
  return texts.flatMap(text => /^Message-ID:\s+<([\w-]+)\.order-placed@/im.exec(text)?.[1] ?? [])
}

it(
  `loses and doubles nothing in ${rounds} rounds of ${ordersARound} orders`,
  async () => {
    const random = randomFrom(seed)
    console.log(`CRASH_SEED=${seed}`)
    app = await crashingShop()
    await app.start()
    const { url, directory } = app
    const back = await app.back()
    const reach = { url: () => url, back, directory }
    const scene = await startTraffic(reach, random, { customers: shoppers, scarce: rounds * 2 })
    let kills = 0
    for (let round = 0; round < rounds; round += 1) kills += (await crashRound(app, scene)).kills

    await atRest(back, 60_000)
    expect(await findings(back)).toEqual([])

    const { rows } = await back.pool.query<{ order_id: string }>(
      `select order_id from orders where status <> 'rejected'`,
    )
    const known = new Set(rows.map(row => row.order_id))
    expectEachPlacedOnce(scene.placed, known)
    // What nobody was told about is at most what nobody waited for.
    const untold = known.size - scene.placed.length
    expect(untold).toBeLessThanOrEqual(scene.abandoned)
    const { placed, refused, abandoned } = scene
    expect(placed.length + refused + abandoned).toBe(rounds * ordersARound)

    const { rows: charges } = await back.pool.query<{ payment_id: string; order_id: string }>(
      `select payment_id, order_id from shop.simulated_payments where status = 'captured'`,
    )
    expect(new Set(charges.map(charge => charge.order_id)).size).toBe(charges.length)
    const { rows: booked } = await back.pool.query<{ payment_id: string }>(
      `select data->>'paymentId' as payment_id from eventstore.events where type = 'OrderPaid'`,
    )
    expect(charges.map(each => each.payment_id).sort()).toEqual(
      booked.map(each => each.payment_id).sort(),
    )

    const mails = await waitFor('every mail', async () => {
      const sent = await placedMails(directory)
      return new Set(sent).size >= known.size ? sent : undefined
    })
    expect(new Set(mails).size).toBe(known.size)
    const figures = {
      seed,
      kills,
      orders: scene.placed.length,
      refused: scene.refused,
      abandoned: scene.abandoned,
      ofWhichPlaced: untold,
      unknownsRetried: scene.unknowns,
      lost: 0,
      doubledMails: mails.length - new Set(mails).size,
    }
    console.log(JSON.stringify(figures))
    if (process.env.CRASH_REPORT)
      appendFileSync(process.env.CRASH_REPORT, `${JSON.stringify(figures)}\n`)
    // A mail may go out twice only when its process died between sending it and writing that down.
    expect(figures.doubledMails).toBeLessThanOrEqual(kills * 3)
  },
  60_000 + rounds * 15_000,
)
