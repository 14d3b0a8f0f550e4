// npm run payments -- simulate: an action at the simulated provider, and its callback.
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { takeCallback } from '../src/commands/order/paymentCallback.ts'
import { loadConfig } from '../src/config/config.ts'
import { formatMoney, parseMinor } from '../src/domain/kernel/money.ts'
import { createSecrets } from '../src/infra/crypto/secrets.ts'
import { signCallback } from '../src/infra/payments/simulatedCallbacks.ts'
import { Refusal, UsageError, withApp } from './withApp.ts'

/** What can be simulated, and how the callback says it. */
const acts: Readonly<Record<string, object>> = {
  refund: { type: 'refund.made' },
  'failed-refund': { type: 'refund.failed' },
  inquiry: { type: 'dispute.opened', stage: 'inquiry' },
  dispute: { type: 'dispute.opened' },
  won: { type: 'dispute.closed', outcome: 'won' },
  lost: { type: 'dispute.closed', outcome: 'lost' },
}

interface Options {
  what: string
  act: object
  orderId: string
  amount: string
  reference: string
  reason: string | undefined
  dueBy: number | undefined
}

const dayMs = 86_400_000

/** Signs a callback like the provider and has the shop take it; it may be running or not. */
export async function simulate(args: string[]): Promise<void> {
  const { what, act, orderId, amount, ...more } = readOptions(args)
  await withApp('npm run payments', async ({ app, callbacks }, env) => {
    if (app.payments.name !== 'simulated') {
      throw new Refusal(`The payments of this shop go through ${app.payments.name}.`)
    }
    const { state } = await app.orders.load(orderId)
    if (state.status === 'none') throw new Refusal(`There is no order ${orderId}.`)
    const { currency } = state.total
    const minor = parseMinor(amount, 1, currency)
    if (minor === undefined || minor < 1) throw new UsageError('--amount is like 4.25')
    const body = JSON.stringify({
      id: randomUUID(),
      orderId,
      amount: minor,
      currency,
      ...act,
      ...more,
    })
    const key = createSecrets(loadConfig(env).secretKey).key('payment-callbacks')
    const now = app.clock.now()
    const callback = await app.payments.readCallback(body, signCallback(key, body, now), now)
    if (callback === undefined) throw new Error('the signature is not right')
    const outcome = await callbacks.once(callback, () => takeCallback(app, callback))
    const money = formatMoney({ amount: minor, currency })
    console.log(`${what} of ${money}, ${more.reference}: ${outcome}`)
  })
}

function readOptions(args: string[]): Options {
  const text = { type: 'string' } as const
  const options = { order: text, amount: text, reference: text, reason: text, due: text }
  let parsed: ReturnType<typeof parse>
  const parse = () => parseArgs({ args, options, allowPositionals: true })
  try {
    parsed = parse()
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
  const [what = '', ...rest] = parsed.positionals
  const act = acts[what]
  if (act === undefined || rest.length > 0) {
    throw new UsageError(`simulate takes one of: ${Object.keys(acts).join(', ')}`)
  }
  const { order: orderId, amount, reason, due } = parsed.values
  if (orderId === undefined || amount === undefined) {
    throw new UsageError('simulate needs --order and --amount')
  }
  const isRefund = what === 'refund'
  const fallback = isRefund ? `re-${randomUUID()}` : `du-${orderId}`
  const { reference = fallback } = parsed.values
  if (what === 'failed-refund' && parsed.values.reference === undefined) {
    throw new UsageError('failed-refund needs --reference, as refund has told it')
  }
  return { what, act, orderId, amount, reference, reason, dueBy: dueBy(what, due) }
}

/** A dispute has a week unless said otherwise. */
function dueBy(what: string, due: string | undefined): number | undefined {
  if (due === undefined) return what === 'dispute' ? Date.now() + 7 * dayMs : undefined
  const moment = Date.parse(due)
  if (Number.isNaN(moment)) throw new UsageError('--due is a day or moment, such as 2026-12-24')
  return moment
}
