// A double of the few endpoints of Stripe that the shop uses, on 127.0.0.1, with its rules:
// idempotency keys, the states of an intent, cards that misbehave, and webhooks that are signed.
import { createHmac, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { freePort } from '../../src/infra/system/tcpPorts.ts'

export interface Intent {
  id: string
  object: 'payment_intent'
  status: string
  amount: number
  amount_received: number
  currency: string
  created: number
  payment_method: string | null
  client_secret: string
  metadata: Record<string, string>
  last_payment_error: { message: string } | null
  next_action: { type: string } | null
}
export interface StripeRefund {
  id: string
  object: 'refund'
  status: string
  amount: number
  currency: string
  created: number
  payment_intent: string
  metadata: Record<string, string>
}
export interface StripeDispute {
  id: string
  object: 'dispute'
  status: string
  amount: number
  currency: string
  created: number
  reason: string
  charge: string
  payment_intent: string | null
  evidence_details: { due_by: number | null }
}
/** What goes wrong with one request: `after` it was done, or `before`. */
export interface Fault {
  path: RegExp
  method?: 'GET' | 'POST'
  when: 'before' | 'after'
  /** A status, no answer at all, or a connection that is cut. */
  how: number | 'silence' | 'cut'
}
interface Answer {
  status: number
  body: object
}
interface Asked {
  method: string
  path: string
  query: URLSearchParams
  form: URLSearchParams
}

export interface StripeDouble {
  url: string
  intents: Map<string, Intent>
  refunds: Map<string, StripeRefund>
  disputes: Map<string, StripeDispute>
  /** Every request, as `POST /v1/refunds`. */
  requests: string[]
  failNext(fault: Fault): void
  /** The customer confirms at their bank, or the bank decides at last. */
  settle(intentId: string, status: 'succeeded' | 'requires_payment_method'): Intent
  /** As Stripe does after a day. */
  forgetKeys(): void
  /** A charge that somebody else made with the same account. */
  plant(details: Partial<Intent>): Intent
  /** A refund that somebody makes in the dashboard: without the shop's metadata. */
  refundByHand(intentId: string, amount: number): StripeRefund
  /** A customer goes to their bank. */
  dispute(intentId: string, details: Partial<StripeDispute>): StripeDispute
  close(): Promise<void>
}

const problem = (status: number, error: object): Answer => ({ status, body: { error } })
const refused = (code: string, message: string) =>
  problem(400, { type: 'invalid_request_error', code, message })
const seconds = () => Math.floor(Date.now() / 1_000)
const newName = (prefix: string) => `${prefix}_${randomBytes(8).toString('hex')}`

const outcomes: Readonly<Record<string, string>> = {
  pm_card_visa: 'succeeded',
  pm_card_chargeDeclined: 'requires_payment_method',
  pm_card_authenticationRequired: 'requires_action',
  pm_card_slow: 'processing',
}

/** Starts the double on a free port. */
export async function startStripeDouble(): Promise<StripeDouble> {
  const intents = new Map<string, Intent>()
  const refunds = new Map<string, StripeRefund>()
  const disputes = new Map<string, StripeDispute>()
  const requests: string[] = []
  const faults: Fault[] = []
  const keys = new Map<string, { params: string; answer: Answer }>()
  const books = { intents, refunds, disputes }

  const once = (request: IncomingMessage, asked: Asked): Answer => {
    const key = request.headers['idempotency-key']
    if (typeof key !== 'string') return act(books, asked)
    const params = `${asked.path}?${asked.form}`
    const known = keys.get(key)
    if (known === undefined) {
      const answer = structuredClone(act(books, asked))
      keys.set(key, { params, answer })
      return answer
    }
    if (known.params === params) return known.answer
    return problem(400, { type: 'idempotency_error', message: 'Same key, other parameters.' })
  }
  const server = createServer(async (request, response) => {
    const asked = await read(request)
    requests.push(`${asked.method} ${asked.path}`)
    const index = faults.findIndex(
      ({ path, method = asked.method }) => path.test(asked.path) && method === asked.method,
    )
    const [fault] = index < 0 ? [] : faults.splice(index, 1)
    const answer = fault?.when === 'before' ? undefined : once(request, asked)
    send(response, fault, answer)
  })
  const port = await freePort()
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${port}`,
    ...books,
    requests,
    failNext: fault => faults.push(fault),
    settle(intentId, status) {
      const intent = intents.get(intentId)
      if (intent === undefined) throw new Error(`there is no intent ${intentId}`)
      return settled(intent, status)
    },
    forgetKeys: () => keys.clear(),
    ...dashboard(books),
    close() {
      server.closeAllConnections()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

/** What others do than the shop. */
function dashboard(books: Books): Pick<StripeDouble, 'plant' | 'refundByHand' | 'dispute'> {
  return {
    plant(details) {
      const intent = settled({ ...newIntent(new URLSearchParams()), ...details }, 'succeeded')
      books.intents.set(intent.id, intent)
      return intent
    },
    refundByHand(intentId, amount) {
      const form = new URLSearchParams({ payment_intent: intentId, amount: String(amount) })
      const { body } = refund(books, form)
      const made = books.refunds.get(String(Reflect.get(body, 'id')))
      if (made === undefined) throw new Error(`not refunded: ${JSON.stringify(body)}`)
      return made
    },
    dispute(intentId, details) {
      const made = newDispute(intentId, details)
      books.disputes.set(made.id, made)
      return made
    },
  }
}

function send(response: ServerResponse, fault: Fault | undefined, answer: Answer | undefined) {
  if (fault?.how === 'silence') return
  if (fault?.how === 'cut') {
    response.destroy()
    return
  }
  const wrong = problem(fault?.how ?? 500, { type: 'api_error', message: 'Something broke.' })
  const { status, body } = fault === undefined ? (answer ?? wrong) : wrong
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

async function read(request: IncomingMessage): Promise<Asked> {
  let text = ''
  for await (const chunk of request) text += chunk
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  const { method = 'GET' } = request
  const form = new URLSearchParams(text)
  return { method, path: url.pathname, query: url.searchParams, form }
}

type Books = Pick<StripeDouble, 'intents' | 'refunds' | 'disputes'>

function act(books: Books, { method, path, query, form }: Asked): Answer {
  const [, kind = '', id, verb] = /^\/v1\/(\w+)(?:\/(\w+))?(?:\/(\w+))?$/.exec(path) ?? []
  if (method === 'GET' && id === undefined) {
    if (kind === 'disputes') return page(books.disputes, query)
    return page(kind === 'refunds' ? books.refunds : books.intents, query)
  }
  const { intents } = books
  if (kind === 'refunds') return refund(books, form)
  if (id === undefined) return create(intents, form)
  const intent = intents.get(id)
  if (intent === undefined) return refused('resource_missing', `No such intent: ${id}`)
  if (verb === 'confirm') return confirm(intent)
  return verb === 'cancel' ? cancel(intent) : { status: 200, body: intent }
}

function newIntent(form: URLSearchParams): Intent {
  const id = newName('pi')
  return {
    id,
    object: 'payment_intent',
    status: 'requires_confirmation',
    amount: Number(form.get('amount')),
    amount_received: 0,
    currency: form.get('currency') ?? 'gbp',
    created: seconds(),
    payment_method: form.get('payment_method'),
    client_secret: `${id}_secret_${randomBytes(4).toString('hex')}`,
    metadata: metadataIn(form),
    last_payment_error: null,
    next_action: null,
  }
}

function metadataIn(form: URLSearchParams): Record<string, string> {
  const found = [...form].flatMap(([name, value]) => {
    const key = /^metadata\[(\w+)\]$/.exec(name)?.[1]
    return key === undefined ? [] : [[key, value]]
  })
  return Object.fromEntries(found)
}

function create(intents: Books['intents'], form: URLSearchParams): Answer {
  if (outcomes[form.get('payment_method') ?? ''] === undefined) {
    return refused('resource_missing', 'No such payment method.')
  }
  const intent = newIntent(form)
  intents.set(intent.id, intent)
  return { status: 200, body: intent }
}

function confirm(intent: Intent): Answer {
  if (intent.status !== 'requires_confirmation') {
    return refused('payment_intent_unexpected_state', `This intent is ${intent.status}.`)
  }
  settled(intent, outcomes[intent.payment_method ?? ''] ?? 'succeeded')
  if (intent.last_payment_error === null) return { status: 200, body: intent }
  const { message } = intent.last_payment_error
  return problem(402, {
    type: 'card_error',
    code: 'card_declined',
    message,
    payment_intent: intent,
  })
}

function settled(intent: Intent, status: string): Intent {
  const isDeclined = status === 'requires_payment_method'
  return Object.assign(intent, {
    status,
    amount_received: status === 'succeeded' ? intent.amount : 0,
    payment_method: isDeclined ? null : intent.payment_method,
    last_payment_error: isDeclined ? { message: 'Your card was declined.' } : null,
    next_action: status === 'requires_action' ? { type: 'use_stripe_sdk' } : null,
  })
}

function cancel(intent: Intent): Answer {
  if (/^(succeeded|canceled|processing)$/.test(intent.status)) {
    return refused('payment_intent_unexpected_state', `This intent is ${intent.status}.`)
  }
  return { status: 200, body: Object.assign(intent, { status: 'canceled' }) }
}

function newDispute(intentId: string, details: Partial<StripeDispute>): StripeDispute {
  return {
    id: newName('du'),
    object: 'dispute',
    status: 'needs_response',
    amount: 0,
    currency: 'gbp',
    created: seconds(),
    reason: 'fraudulent',
    charge: newName('ch'),
    payment_intent: intentId,
    evidence_details: { due_by: null },
    ...details,
  }
}

function refund({ intents, refunds }: Books, form: URLSearchParams): Answer {
  const intent = intents.get(form.get('payment_intent') ?? '')
  if (intent?.status !== 'succeeded') return refused('charge_missing', 'Nothing was charged.')
  const amount = Number(form.get('amount'))
  const earlier = [...refunds.values()].filter(each => each.payment_intent === intent.id)
  const left = earlier.reduce((sum, each) => sum - each.amount, intent.amount_received)
  if (amount > left) return refused('amount_too_large', 'More than what is left of the charge.')
  const made: StripeRefund = {
    id: newName('re'),
    object: 'refund',
    status: 'succeeded',
    amount,
    currency: intent.currency,
    created: seconds(),
    payment_intent: intent.id,
    metadata: metadataIn(form),
  }
  refunds.set(made.id, made)
  return { status: 200, body: made }
}

type Listed = Intent | StripeRefund | StripeDispute

/** Two to a page, so that a list of three has more than one. */
function page(all: ReadonlyMap<string, Listed>, query: URLSearchParams): Answer {
  const from = Number(query.get('created[gte]') ?? 0)
  const to = Number(query.get('created[lt]') ?? Number.POSITIVE_INFINITY)
  const ofIntent = query.get('payment_intent')
  const found = [...all.values()].filter(each => {
    const isOf = ofIntent === null || ('payment_intent' in each && each.payment_intent === ofIntent)
    return isOf && each.created >= from && each.created < to
  })
  const start = found.findIndex(each => each.id === query.get('starting_after')) + 1
  const data = found.slice(start, start + 2)
  const has_more = found.length > start + 2
  return { status: 200, body: { object: 'list', url: '/v1/list', data, has_more } }
}

interface WebhookOptions {
  secret: string
  id?: string
  /** When it was signed. */
  at?: Date
  /** When it happened, in seconds; when it was signed unless said otherwise. */
  created?: number
}

/** A webhook about an intent, a refund or a dispute, signed as Stripe does it. */
export function stripeWebhook(
  type: string,
  object: object,
  { secret, id = newName('evt'), at = new Date(), created }: WebhookOptions,
): { body: string; signature: string } {
  const time = Math.floor(at.getTime() / 1_000)
  const body = JSON.stringify({
    ...{ id, object: 'event', type, created: created ?? time },
    data: { object },
  })
  const hmac = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')
  return { body, signature: `t=${time},v1=${hmac}` }
}
