// Faults that come at random moments: disks, clocks, whole machines, and other releases.
import { unavailable } from './callFaults.ts'
import type { Call, TimedFault } from './faults.ts'

const toDatabase = ({ kind }: Call) => kind === 'append' || kind === 'write' || kind === 'read'

/** What PostgreSQL says of a disk without room; the driver keeps its code. */
function diskFull(): Error {
  return Object.assign(new Error('could not extend file'), { code: '53100' })
}

export const timedFaults: readonly TimedFault[] = [
  {
    name: 'disk-full',
    what: 'The disk of the database is full for some seconds: it reads, and does not write.',
    perRun: 1,
    strike({ disturb }, random) {
      const writes = ({ kind }: Call) => kind === 'append' || kind === 'write'
      disturb(random.between(500, 12_000), call => (writes(call) ? diskFull() : undefined))
    },
  },
  {
    name: 'clock-jump',
    what: 'The clock of a process jumps by up to ten minutes, forwards or backwards.',
    perRun: 3,
    strike({ nodes, jumpClock }, random) {
      const node = nodes[random.between(0, nodes.length - 1)]
      if (node !== undefined) jumpClock(node, random.between(-600_000, 600_000))
    },
  },
  {
    name: 'power-loss',
    what: 'All processes die at once and come back one after the other.',
    perRun: 1,
    strike({ nodes, kill }, random) {
      for (const node of nodes) kill(node, random.between(100, 6_000))
    },
  },
  {
    name: 'partition',
    what: 'One process reaches nothing for some seconds.',
    perRun: 2,
    strike({ nodes, disturb }, random) {
      const node = nodes[random.between(0, nodes.length - 1)]
      disturb(random.between(500, 20_000), call =>
        call.node === node ? unavailable('there is no way to it') : undefined,
      )
    },
  },
  {
    name: 'database-failover',
    what: 'The database dies and another takes its place: nobody reaches it for some seconds.',
    perRun: 1,
    strike({ crashDatabase, disturb }, random) {
      crashDatabase()
      disturb(random.between(500, 6_000), call =>
        toDatabase(call) ? unavailable('the database starts') : undefined,
      )
    },
  },
  {
    name: 'provider-outage',
    what: 'The payment provider is not reached for some seconds, by any process.',
    perRun: 2,
    strike({ disturb }, random) {
      const toProvider = new Set(['charge', 'cancel', 'refund'])
      disturb(random.between(1_000, 15_000), ({ kind }) =>
        toProvider.has(kind) ? unavailable('the provider is not reached') : undefined,
      )
    },
  },
  {
    name: 'newer-release',
    what: 'A process of a newer release writes an event that nobody else knows.',
    perRun: 1,
    strike({ log }, random) {
      const streams = log.streams().filter(name => name.startsWith('order-'))
      const stream = streams[random.between(0, streams.length - 1)]
      if (stream === undefined) return
      const orderId = stream.slice('order-'.length)
      log.append(stream, { type: 'OrderGiftWrapped', data: { orderId }, version: 1 })
    },
  },
  {
    name: 'older-release',
    what: 'A process of an older release joins, and writes events in their older form.',
    perRun: 1,
    strike({ nodes }, random) {
      const node = nodes[random.between(0, nodes.length - 1)]
      if (node !== undefined) node.isOldRelease = true
    },
  },
]
