// WebSocket clients as benchmarks see them: how many, and what has reached them.
import { setTimeout as sleep } from 'node:timers/promises'
import { startHelper } from './child.ts'

export interface Arrival {
  position: string
  /** By the clock of this machine, which is that of the database too. */
  atMs: number
}

export interface Listening {
  url: string
  /** One connection each; none only asks for what has come. */
  tokens: string[]
  /** Whether they follow the orders of everybody. */
  isStaff?: boolean
}

export interface Listeners {
  /** Opens a connection for each token, and waits until they hear live news. */
  connect(url: string, tokens: string[], isStaff?: boolean): Promise<void>
  /**
   * What has come since the last time, once it is as much as that. Throws when it does not come.
   */
  collect(count: number): Promise<Arrival[]>
  /** What has come since the last time. */
  arrived(): Promise<Arrival[]>
  stop(): Promise<void>
}

const collectMs = 20_000
/** The server waits half a second for clients to say from where they resume. */
const settleMs = 1_000

/** Tells an order to listen from whatever else could arrive between processes. */
export function isListening(message: unknown): message is Listening {
  return typeof message === 'object' && message !== null && 'tokens' in message
}

/** Starts the process that holds the clients. */
export function startListeners(): Listeners {
  const helper = startHelper('listen.ts')
  const ask = async (listening: Listening) => {
    const answer = await helper.ask(listening)
    if (!isReport(answer)) throw new Error(`listening failed: ${JSON.stringify(answer)}`)
    return answer.arrivals.map(([position, atMs]) => ({ position, atMs }))
  }
  return {
    async connect(url, tokens, isStaff = false) {
      await ask({ url, tokens, isStaff })
      await sleep(settleMs)
    },
    async collect(count) {
      const arrivals: Arrival[] = []
      const deadline = performance.now() + collectMs
      while (performance.now() < deadline) {
        arrivals.push(...(await ask({ url: '', tokens: [] })))
        if (arrivals.length >= count) return arrivals
        await sleep(20)
      }
      throw new Error(`${arrivals.length} of ${count} messages came`)
    },
    arrived: () => ask({ url: '', tokens: [] }),
    stop: helper.stop,
  }
}

function isReport(answer: unknown): answer is { arrivals: [string, number][] } {
  return typeof answer === 'object' && answer !== null && 'arrivals' in answer
}
