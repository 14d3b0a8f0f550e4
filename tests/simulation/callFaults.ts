// Faults of single calls: answers that are lost, late or repeated, and processes that die with one.
import { Unavailable } from '../../src/ports/eventStore.ts'
import type { Call, CallFault, CallKind } from './faults.ts'

/** Beyond this the driver of the database has given up and dropped the connection. */
const driverLimitMs = 6_500

/** What a caller gets when the outcome is not known. */
export function unavailable(why: string): Unavailable {
  return new Unavailable(why)
}

const of =
  (...kinds: readonly CallKind[]) =>
  ({ kind }: Call) =>
    kinds.includes(kind)
const ofNodes = of('append', 'read', 'write', 'charge', 'cancel', 'refund')
const anything = () => true

export const callFaults: readonly CallFault[] = [
  {
    name: 'slow-answer',
    what: 'A call is carried out at once and answered seconds later.',
    share: 0.02,
    meets: anything,
    async strike({ carryOut, random }, { sleep }) {
      const answer = await carryOut()
      await sleep(random.between(50, 5_000))
      return answer
    },
  },
  {
    name: 'slow-request',
    what: 'A call arrives seconds after others that were sent later.',
    share: 0.03,
    meets: anything,
    async strike({ carryOut, random }, { sleep }) {
      await sleep(random.between(20, 4_000))
      return carryOut()
    },
  },
  {
    name: 'lost-answer',
    what: 'A call is carried out, and its answer is lost.',
    share: 0.03,
    meets: of('append', 'write', 'charge', 'cancel', 'refund', 'request', 'callback'),
    async strike({ carryOut, random }, { sleep }) {
      await carryOut()
      await sleep(random.between(1, 2_000))
      throw unavailable('the answer was lost')
    },
  },
  {
    name: 'unavailable',
    what: 'A call fails, and nothing was carried out.',
    share: 0.03,
    meets: anything,
    async strike({ random }, { sleep }) {
      await sleep(random.between(1, 1_000))
      throw unavailable('nobody is there')
    },
  },
  {
    name: 'repeated',
    what: 'A call is carried out twice, and the second answer counts.',
    share: 0.02,
    meets: of('append', 'charge', 'cancel', 'refund', 'request', 'callback'),
    async strike({ carryOut, random }, { sleep }) {
      const first = carryOut().catch(() => undefined)
      await sleep(random.between(0, 300))
      await first
      return carryOut()
    },
  },
  {
    name: 'written-but-unknown',
    what: 'A call is carried out after its caller has given up waiting for it.',
    share: 0.02,
    meets: of('append', 'write', 'charge', 'cancel', 'refund', 'request'),
    async strike({ carryOut, random }, { sleep }) {
      const late = async () => {
        await sleep(driverLimitMs + random.between(-3_000, 9_000))
        await carryOut().catch(() => undefined)
      }
      void late()
      await sleep(driverLimitMs)
      throw unavailable('no answer in time')
    },
  },
  {
    name: 'version-conflict',
    what: 'The store takes an append for one that comes too late, and looks closer.',
    share: 0.03,
    meets: ({ conflict }) => conflict !== undefined,
    strike: async ({ carryOut, conflict = carryOut }) => conflict(),
  },
  {
    name: 'silent-connection',
    what: 'A connection never answers; what was asked may have been carried out.',
    share: 0.01,
    meets: ofNodes,
    async strike({ carryOut, random }, { sleep }) {
      if (random.next() < 0.5) await carryOut().catch(() => undefined)
      await sleep(driverLimitMs)
      throw unavailable('the connection was silent')
    },
  },
  {
    name: 'killed-before',
    what: 'A process dies before what it asks for is carried out.',
    share: 0.004,
    meets: ofNodes,
    async strike({ node, random }, { kill }) {
      kill(node, random.between(100, 8_000))
    },
  },
  {
    name: 'killed-after',
    what: 'A process dies after what it asks for was carried out, before it hears of that.',
    share: 0.006,
    meets: ofNodes,
    async strike({ node, carryOut, random }, { kill }) {
      await carryOut().catch(() => undefined)
      kill(node, random.between(100, 8_000))
    },
  },
  {
    name: 'paused',
    what: 'A process stands still for minutes in the middle of a step, and goes on.',
    share: 0.003,
    meets: ofNodes,
    async strike({ node, carryOut, random }, { pause }) {
      if (random.next() < 0.5) {
        pause(node, random.between(5_000, 150_000))
        return carryOut()
      }
      const answer = await carryOut()
      pause(node, random.between(5_000, 150_000))
      return answer
    },
  },
  {
    name: 'forgotten-callback',
    what: 'The queue of the payment provider forgets a callback.',
    share: 0.2,
    meets: of('callback'),
    strike: async () => 'forgotten',
  },
]
