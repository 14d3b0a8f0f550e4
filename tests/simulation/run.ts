// One run of the simulator: a plan is carried out in a world with faults until nothing moves any
// more, and the auditor looks at what is left.
import { audit } from '../../src/audit/auditor/auditor.ts'
import type {
  Evidence,
  Failure,
  Finding,
  Follower,
  LogEvent,
} from '../../src/audit/auditor/evidence.ts'
import { idOf } from '../../src/commands/core/ids.ts'
import { type ApiProcess, startApi } from './apiNode.ts'
import { type Clients, createClients } from './client.ts'
import { drawFor, hashOf } from './draws.ts'
import { faults as allFaults, type Fault } from './faults.ts'
import { createEventLog, type EventLog, type LogRow } from './postgres/eventLog.ts'
import { createReadModels, type ReadModels } from './postgres/readModels.ts'
import { createServer } from './postgres/server.ts'
import type { Row } from './postgres/statements.ts'
import { createProvider } from './provider.ts'
import { createScheduler, type Scheduler } from './scheduler.ts'
import type { Services } from './shopNode.ts'
import { beginning, inVirtualTime } from './virtualTime.ts'
import { consumers, startWorker } from './worker.ts'
import type { Plan } from './workload/plan.ts'
import { createWorld, type Process, type SimulatedNode } from './world.ts'

export interface RunOptions {
  /** Names of the faults that may strike; all of them when it is not said. */
  faults?: readonly string[] | undefined
  /** The only strikes of faults, as an outcome names them, where not all are wanted. */
  only?: ReadonlySet<string> | undefined
}

export interface Outcome {
  findings: Finding[]
  /** A number for all that has happened: equal for equal runs. */
  trace: number
  /** The faults that have struck, in their order. */
  struck: readonly string[]
  events: readonly LogRow[]
  steps: number
  virtualMs: number
}

/** So long the world may take to come to rest once nothing goes wrong any more. */
const restMs = 900_000
const lookMs = 2_000
/** Orders run out sooner than that, by a right clock. */
const longestWaitMs = 130_000

interface Running {
  plan: Plan
  services: Services
  scheduler: Scheduler
  log: EventLog
  readModels: ReadModels
  clients: Clients
  mishaps: Failure[]
  processes: Map<Process, ApiProcess>
}

/** Carries a plan out. The same plan with the same options leads to the same outcome. */
export async function run(plan: Plan, options: RunOptions = {}): Promise<Outcome> {
  const scheduler = createScheduler()
  const clockOffsetMs = () => {
    const owner = scheduler.current()
    return owner !== undefined && isProcess(owner) ? owner.node.clockOffsetMs : 0
  }
  const time = { scheduler, clockOffsetMs, seed: hashOf(`random ${plan.seed}`) }
  return inVirtualTime(time, async () => {
    const running = begin(plan, scheduler, options)
    const stop = watchForRejections(running.mishaps)
    try {
      await carryOut(running)
      const findings = await audit(evidenceOf(running))
      const { world } = running.services
      return {
        findings,
        trace: hashOf(running.log.rows.map(({ id }) => id).join(), world.trace()),
        struck: world.struck,
        events: running.log.rows,
        steps: scheduler.steps(),
        virtualMs: scheduler.now(),
      }
    } finally {
      stop()
    }
  })
}

function isProcess(owner: object): owner is Process {
  return 'node' in owner
}

function begin(plan: Plan, scheduler: Scheduler, options: RunOptions): Running {
  const date = () => new Date(beginning + scheduler.now())
  const log = createEventLog({ now: date, isLenient: plan.setting.hasLenientStore })
  const readModels = createReadModels()
  const statements = [...log.statements, ...readModels.statements]
  const clockwork = { now: scheduler.now, date, sleep: scheduler.sleep }
  const server = createServer({ statements, ...clockwork, rowsOf: readModels.rowsOf })
  const world = createWorld({
    seed: plan.seed,
    scheduler,
    faults: chosen(plan.seed, options.faults),
    intensity: drawFor(plan.seed, 'intensity').pick([0, 0.5, 1, 1, 3]),
    only: options.only,
    services: { log: foreign(log), crashDatabase: () => server.crash() },
  })
  const provider = createProvider(world)
  const services = {
    world,
    server,
    provider,
    setting: plan.setting,
    erased: new Set<string>(),
    begun: new Map<string, number>(),
  }
  const processes = new Map<Process, ApiProcess>()
  const processOn = ({ process }: SimulatedNode) =>
    process === undefined ? undefined : processes.get(process)
  const clients = createClients({ services, seed: plan.seed, processOn })
  const mishaps: Failure[] = []
  const running = { plan, services, scheduler, log, readModels, clients, mishaps, processes }
  addNodes(running)
  return running
}

/** Each run has some of the faults: where all strike all the time, nothing gets far. */
function chosen(seed: number, names: readonly string[] | undefined): Fault[] {
  if (names !== undefined) return allFaults.filter(({ name }) => names.includes(name))
  return allFaults.filter(({ name }) => drawFor(seed, `faults ${name}`).next() < 0.5)
}

/** What another release may write into the log. */
function foreign(log: EventLog) {
  return {
    streams: log.streams,
    append(
      stream: string,
      { type, data, version }: { type: string; data: object; version: number },
    ) {
      const id = idOf('foreign', stream, type, `${log.stream(stream).length}`)
      const actor = { role: 'system', id: 'another-release' }
      const ids = { commandId: id, correlationId: id, causationId: id }
      const metadata = { v: version, ...ids, actor, at: new Date().toISOString() }
      const text = { data: JSON.stringify(data), metadata: JSON.stringify(metadata) }
      log.add(stream, { id, type, ...text })
    },
  }
}

function addNodes({ plan, services, mishaps, processes }: Running): void {
  const { world, setting } = { ...services, setting: plan.setting }
  const told = (where: string) => (what: string) => void mishaps.push({ where, what })
  for (let nth = 1; nth <= setting.apis; nth += 1) {
    const name = `api-${nth}`
    const start = (process: Process) =>
      void processes.set(process, startApi(services, process, told(name)))
    world.addNode({ name, kind: 'api', start })
  }
  for (let nth = 1; nth <= setting.workers; nth += 1) {
    const name = `worker-${nth}`
    const start = (process: Process) => startWorker(services, process, told(name))
    world.addNode({ name, kind: 'worker', start })
  }
}

/** A rejection that nobody handles ends a process of the shop. */
function watchForRejections(mishaps: Failure[]): () => void {
  const note = (error: unknown) =>
    void mishaps.push({ where: 'a process', what: `nobody handles ${String(error)}` })
  process.on('unhandledRejection', note)
  return () => process.off('unhandledRejection', note)
}

async function carryOut(running: Running): Promise<void> {
  const { plan, scheduler, clients, services } = running
  const { world } = services
  await open(running)
  for (const request of plan.requests) clients.schedule(request)
  world.goWrong(plan.setting.busyMs)
  const busyUntil = scheduler.now() + plan.setting.busyMs
  await scheduler.runUntil(busyUntil)
  world.isFaulty = false
  for (const node of world.nodes) node.clockOffsetMs = 0
  const end = scheduler.now() + restMs + aheadMs(running)
  while (scheduler.now() < end && !isAtRest(running)) {
    await scheduler.runUntil(scheduler.now() + lookMs)
  }
  if (!isAtRest(running)) running.mishaps.push({ where: 'the shop', what: restless(running) })
}

/** By how much the fastest clock was ahead: what it has dated is looked after when it is time. */
function aheadMs({ log, scheduler }: Running): number {
  const times = log.rows.map(({ metadata }) => Date.parse(JSON.parse(metadata).at) - beginning)
  return Math.max(0, ...times.map(time => time - scheduler.now()))
}

/** Everything that is there from the start, before anything goes wrong. */
async function open({ plan, scheduler, clients }: Running): Promise<void> {
  let isOpen = false
  const ask = async () => {
    for (const request of plan.opening) await clients.ask(request)
    isOpen = true
  }
  scheduler.after(1, undefined, () => void ask())
  await scheduler.runUntil(60_000, () => isOpen)
  if (!isOpen) throw new Error('the shop does not open')
}

function isAtRest(running: Running): boolean {
  const { services, clients } = running
  const { world } = services
  if (clients.open() > 0 || world.nodes.some(({ process }) => process === undefined)) return false
  const now = world.scheduler.now()
  if (world.nodes.some(({ process }) => (process?.pausedUntil ?? 0) > now)) return false
  if (services.server.isWriting()) return false
  if (rebuildsUnderWay(running).length > 0) return false
  return isCaughtUp(running) && openProcesses(running).length === 0
}

function rebuildsUnderWay({ readModels }: Running): string[] {
  return readModels
    .rowsOf('rebuilds')
    .flatMap(({ name, state }) =>
      state === 'requested' || state === 'running' ? [String(name)] : [],
    )
}

function isCaughtUp({ readModels, log }: Running): boolean {
  const rows = readModels.rowsOf('checkpoints')
  const isThere = rows.length === consumers.length
  return isThere && rows.every(({ position }) => Number(position) >= log.rows.length)
}

const timeOf = (text: unknown) => Date.parse(String(text)) - beginning

/** Orders whose process has something left to do. */
function openProcesses(running: Running): string[] {
  const { scheduler } = running
  const unreadable = unreadableStreams(running)
  // Somebody has to pay that back, and nobody does here.
  const paidByHand = new Set(
    running.log.rows.flatMap(({ type, stream, data }) =>
      type === 'OrderPaid' && data.includes('"provider":"manual"') ? [stream] : [],
    ),
  )
  const goingOn = new Set(
    running.readModels
      .rowsOf('orders')
      .flatMap(({ order_id: id, status }) =>
        status === 'pending' || status === 'paid' ? [String(id)] : [],
      ),
  )
  return running.readModels.rowsOf('order_processes').flatMap(row => {
    const stream = `order-${row.order_id}`
    const isOpen = ['submitted', 'paying', 'refund_due', 'cart_open'].some(
      name => row[name] === true,
    )
    const { stock, open_money: money, settling, expires_at: deadline } = row
    // One of which a part was paid back may still be shipped.
    const isOver = !goingOn.has(String(row.order_id))
    const isSettling = settling === true && isOver && Array.isArray(stock) && stock.length > 0
    const isOwing = Array.isArray(money) && money.length > 0 && !paidByHand.has(stream)
    // One that waits for longer was placed by a clock that had jumped: nothing is left to be done.
    const isWaiting = deadline !== null && timeOf(deadline) < scheduler.now() + longestWaitMs
    const isLeft = isOpen || isSettling || isOwing || isWaiting
    return isLeft && !unreadable.has(stream) ? [String(row.order_id)] : []
  })
}

function restless(running: Running): string {
  const { clients, scheduler } = running
  const orders = openProcesses(running)
  const behind = isCaughtUp(running) ? '' : ', and the read models are behind'
  const waiting = clients.open() > 0 ? `, ${clients.open()} requests wait` : ''
  const rebuilt = rebuildsUnderWay(running)
  const building = rebuilt.length > 0 ? `, and ${rebuilt.join()} is being rebuilt` : ''
  const which = orders.length > 0 ? ` with ${orders.slice(0, 3).join(', ')}` : ''
  const seconds = Math.round(scheduler.now() / 1_000)
  return `it does not come to rest by ${seconds} s${which}${behind}${building}${waiting}`
}

/**
 * Orders with an event of a newer release: nobody here can go on with them, nor with others of the
 * same customer where the unpaid ones are counted.
 */
function unreadableStreams({ log, plan }: Running): Set<string> {
  const strange = new Set(
    log.rows.flatMap(({ type, stream }) => (type === 'OrderGiftWrapped' ? [stream] : [])),
  )
  if (strange.size === 0 || plan.setting.unpaidOrders === 0) return strange
  const ownerOf = new Map(
    log.rows.flatMap(({ type, stream, data }) =>
      type === 'OrderSubmitted' ? [[stream, JSON.parse(data).customerId]] : [],
    ),
  )
  const stuck = new Set([...strange].map(stream => ownerOf.get(stream)))
  for (const [stream, owner] of ownerOf) if (stuck.has(owner)) strange.add(stream)
  return strange
}

/** Only what no release here can read may be parked. */
function parked(running: Running): Failure[] {
  const unreadable = unreadableStreams(running)
  return running.readModels
    .rowsOf('parked_events')
    .filter(({ stream }) => !unreadable.has(String(stream)))
    .map(({ name, stream, error }) => ({
      where: String(name),
      what: `${stream} is parked: ${error}`,
    }))
}

/** What has cut a rebuild passes; it is gone on with, and ends. */
function givenUp({ readModels }: Running): Failure[] {
  return readModels
    .rowsOf('rebuilds')
    .flatMap(({ name, state, error }) =>
      state === 'failed' ? [{ where: `the rebuild of ${name}`, what: String(error) }] : [],
    )
}

function evidenceOf(running: Running): Evidence {
  const { log, readModels, clients, services, mishaps } = running
  const { payments, refunds } = services.provider
  return {
    log: log.rows.map(eventOf),
    messages: clients.told.map(each => ({
      ...each,
      begun: services.begun.get(each.commandId ?? '') ?? 0,
    })),
    mails: readModels.rowsOf('mails').map(row => ({
      eventId: String(row.event_id),
      template: String(row.template),
    })),
    webhooks: readModels.rowsOf('webhooks').map(row => ({
      eventId: String(row.event_id),
      endpoint: String(row.endpoint),
    })),
    money: [
      ...[...payments.values()].flatMap(({ paymentId, amount, status }) =>
        status === 'captured'
          ? [{ kind: 'charge' as const, id: paymentId, paymentId, amount }]
          : [],
      ),
      ...[...refunds.values()].flatMap(({ refundId, paymentId, amount, isKnown }) =>
        isKnown ? [{ kind: 'refund' as const, id: refundId, paymentId, amount }] : [],
      ),
    ],
    orders: readModels.rowsOf('orders').map(row => ({
      orderId: String(row.order_id),
      status: String(row.status),
      paidBack: Number(row.refunded_minor),
    })),
    live: newsOf(readModels.rowsOf('notifications')),
    failures: [...mishaps, ...parked(running), ...givenUp(running)],
    isAtRest: isAtRest(running),
    unreadable: unreadableStreams(running),
  }
}

/** The list of what is to be told, as what each customer hears of it. */
function newsOf(rows: readonly Row[]): Follower[] {
  const all = rows
    .map(({ position, customer_id: customerId, order_id: orderId }) => ({
      customerId: String(customerId),
      position: Number(position),
      orderId: String(orderId),
    }))
    .toSorted((a, b) => a.position - b.position)
  return [...Map.groupBy(all, ({ customerId }) => customerId)].map(([customerId, received]) => ({
    name: `who follows the orders of ${customerId}`,
    customerId,
    since: 0,
    received,
  }))
}

function eventOf({ data, metadata, ...row }: LogRow): LogEvent {
  const { commandId, at, source } = JSON.parse(metadata)
  const { position, stream, revision, id, type } = row
  return { position, stream, revision, id, type, data: JSON.parse(data), commandId, at, source }
}
