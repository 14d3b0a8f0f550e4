// Clients of the simulated world: they keep the key of each request, ask again on another node
// until they are answered, and remember what they were told.
import type { Message } from '../../src/audit/auditor/evidence.ts'
import { takeCallback } from '../../src/commands/order/paymentCallback.ts'
import type { PaymentCallback } from '../../src/ports/payments.ts'
import type { Random } from '../support/random.ts'
import type { ApiProcess, Reply } from './apiNode.ts'
import { drawFor } from './draws.ts'
import type { Services } from './shopNode.ts'
import { commandIdOf, guestCartIdOf, personId } from './workload/known.ts'
import type { Request } from './workload/plan.ts'
import type { SimulatedNode } from './world.ts'

/** How often it was begun with is known in the end. */
type Remembered = Omit<Message, 'begun'>

export interface Clients {
  told: readonly Remembered[]
  /** How many requests are not answered yet, nor given up. */
  open(): number
  /** Sends a request at its time. */
  schedule(request: Request): void
  /** Asks until it is answered, which it is where nothing goes wrong. */
  ask(request: Request): Promise<Reply>
}

const patienceMs = 10_000
const triesMax = 6

export interface Apis {
  services: Services
  seed: number
  /** What runs on a node now; undefined while it is down. */
  processOn(node: SimulatedNode): ApiProcess | undefined
}

export function createClients(apis: Apis): Clients {
  return new AskingClients(apis)
}

class AskingClients implements Clients {
  readonly told: Remembered[] = []
  readonly #services: Services
  readonly #seed: number
  readonly #processOn: Apis['processOn']
  #open = 0

  constructor({ services, seed, processOn }: Apis) {
    this.#services = services
    this.#seed = seed
    this.#processOn = processOn
  }

  open(): number {
    return this.#open
  }

  schedule(request: Request): void {
    this.#open += 1
    this.#scheduler.after(request.at, undefined, () => {
      void this.#send(request).finally(() => {
        this.#open -= 1
      })
    })
  }

  async ask(request: Request): Promise<Reply> {
    const random = drawFor(this.#seed, `client ${request.key}`)
    const askedAt = this.#scheduler.now()
    let reply: Reply = { outcome: 'unavailable' }
    const tries = random.next() < 0.1 ? 1 : triesMax
    for (let nth = 1; nth <= tries && reply.outcome === 'unavailable'; nth += 1) {
      if (nth > 1) await this.#scheduler.sleep(random.between(100, 4_000))
      const isDoubled = random.next() < this.#services.setting.doubled
      reply = await (isDoubled
        ? this.#attemptTwice(random, request)
        : this.#attemptOnce(random, request))
    }
    this.#remember(request, reply, askedAt)
    return reply
  }

  get #scheduler() {
    return this.#services.world.scheduler
  }

  #anyApi(random: Random): SimulatedNode {
    const apis = this.#services.world.nodes.filter(({ kind }) => kind === 'api')
    const api = apis[random.between(0, apis.length - 1)]
    if (api === undefined) throw new Error('there is no API')
    return api
  }

  #attemptOnce(random: Random, request: Request): Promise<Reply> {
    return this.#attempt(this.#anyApi(random), request)
  }

  /** Two tries with one key, the second while the first is under way. */
  async #attemptTwice(random: Random, request: Request): Promise<Reply> {
    const first = this.#attemptOnce(random, request)
    await this.#scheduler.sleep(random.next() * random.pick([3, 30, 300]))
    const replies = await Promise.all([first, this.#attemptOnce(random, request)])
    const [one, other] = replies
    return (
      replies.find(({ outcome }) => outcome === 'ok') ?? (one.outcome === 'refused' ? one : other)
    )
  }

  /** One try: the answer, or that there was none in time. */
  async #attempt(node: SimulatedNode, request: Request): Promise<Reply> {
    const call = { node, kind: 'request' as const, key: `${request.name} ${request.key}` }
    const asked = this.#services.world.call(undefined, call, () =>
      this.#handOver(node, api => api.handle(request)),
    )
    return (await this.#inTime(asked)) ?? { outcome: 'unavailable' }
  }

  /** What is answered before patience is at its end; undefined where nothing is. */
  #inTime<T>(asked: Promise<T>): Promise<T | undefined> {
    return new Promise(resolve => {
      this.#scheduler.after(patienceMs, undefined, () => resolve(undefined))
      asked.then(resolve, () => resolve(undefined))
    })
  }

  /** Has the process of a node do something, as its own. */
  #handOver<T>(node: SimulatedNode, work: (api: ApiProcess) => Promise<T>): Promise<T> {
    const api = this.#processOn(node)
    if (api === undefined) return Promise.reject(new Error('nobody listens'))
    return new Promise((resolve, reject) => {
      this.#scheduler.after(0, api.app.process, () => void work(api).then(resolve, reject))
    })
  }

  #remember(request: Request, reply: Reply, askedAt: number): void {
    const { name, key, by } = request
    const answer = reply.outcome === 'ok' ? reply.answer : undefined
    const isRead = name === 'read'
    this.told.push({
      name,
      commandId: isRead ? undefined : commandIdOf(by, name, key),
      by,
      sentAt: askedAt,
      answeredAt: this.#scheduler.now(),
      outcome: reply.outcome === 'unavailable' ? 'unknown' : reply.outcome,
      stream: isRead ? String(request.input.stream) : answer && streamOf(request, answer.id),
      revision: answer?.revision,
      position: answer && Number(String(answer.position)),
      code: reply.outcome === 'refused' ? reply.code : undefined,
      shown: isRead ? answer?.result : undefined,
    })
  }

  /** Asks, and often looks at what has become of it on any node. */
  async #send(request: Request): Promise<void> {
    if (request.by === 'provider') return this.#actAtProvider(request)
    const reply = await this.ask(request)
    const random = drawFor(this.#seed, `look ${request.key}`)
    if (request.name === 'read' || reply.outcome !== 'ok' || random.next() > 0.5) return
    const stream = random.next() < 0.3 ? stockOf(request) : streamOf(request, reply.answer.id)
    if (stream === undefined || !/^(cart|order|stock|product)-/.test(stream)) return
    await this.#scheduler.sleep(random.next() * 20)
    await this.ask({ ...request, name: 'read', key: `${request.key}/read`, input: { stream } })
  }

  async #actAtProvider({ name, key, input }: Request): Promise<void> {
    const { provider } = this.#services
    const paymentId = provider.newest(name === 'ConfirmPayment' ? 'requires_action' : 'captured')
    if (paymentId === undefined) return
    const callback =
      name === 'ConfirmPayment'
        ? provider.confirm(paymentId, input.isConfirmed === true)
        : provider.refundByHand(paymentId, `by-hand-${key}`, Number(input.amount))
    if (callback !== undefined) await this.#callBack(callback, key)
  }

  /** The provider calls until it is answered, unless its queue forgets that. */
  async #callBack(callback: PaymentCallback, key: string): Promise<void> {
    const { world, provider } = this.#services
    const random = drawFor(this.#seed, `callback ${key}`)
    for (let nth = 1; nth <= triesMax; nth += 1) {
      const node = this.#anyApi(random)
      const call = { node, kind: 'callback' as const, key: `${callback.kind} ${key}` }
      const take = async ({ app }: ApiProcess) => {
        await takeCallback(app.app, callback)
        return true
      }
      const answered = await this.#inTime(
        world.call(undefined, call, () => this.#handOver(node, take)),
      )
      if (answered === true) provider.acknowledged(callback.reference)
      if (answered !== undefined) return
      await this.#scheduler.sleep(random.between(500, 6_000))
    }
  }
}

/** The stream that a command was about. */
function streamOf({ name, by, input }: Request, id: string): string | undefined {
  if (/Cart/.test(name)) return `cart-${by.startsWith('guest') ? guestCartIdOf(by) : personId(by)}`
  if (/Stock/.test(name)) return `stock-${String(input.productId)}`
  if (/Order/.test(name) && name !== 'ImportOrder') return `order-${id}`
  if (name === 'ChangeDelivery') return `order-${id}`
  return /^(Create|Change|Delete|Restore)Product$/.test(name) ? `product-${id}` : undefined
}

function stockOf({ input }: Request): string | undefined {
  return typeof input.productId === 'string' ? `stock-${input.productId}` : undefined
}
