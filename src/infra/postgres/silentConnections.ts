// Finds silent connections: requests on them are not answered in time, although they are open. A
// failover, a lost NAT entry or a frozen host does that, and TCP itself would notice after 15
// minutes.

/** A connection that is watched. Times are those of performance.now(). */
export interface Watched {
  /** Connections to one server are lost together. */
  readonly server: string
  /** How long the other side may be silent while it owes an answer. */
  readonly limitMs: number
  /** Bytes received so far. */
  received(): number
  /**
   * What it is doing: `held` is taken out of its pool without a question under way; `left` was
   * taken leave of, and the other side has not closed it.
   */
  state(): 'asking' | 'held' | 'idle' | 'left'
  /** Since when an answer is owed. */
  readonly askedAt: number
  /**
   * Whether silence is no sign of death, because a statement may take as long as it likes: then
   * this asks the server over another connection whether it still works on it.
   */
  isWorking: (() => Promise<boolean>) | undefined
  /** Asks something without effect, so that the other side has to show that it is there. */
  ping(): void
  /** Closes the connection at once; all that it owes fails. */
  drop(why: string): void
}

interface Known {
  received: number
  /** The last check that found new bytes, and the check before it. */
  receivedAt: number
  notReceivedBefore: number
  /** No bytes since an answer is missing on another connection to the same server. */
  isSuspect: boolean
  isBeingChecked: boolean
}

const checkMs = 250
/** A session that is held without a question is asked this often whether it is still there. */
const pingMs = 2_000
/** A suspect has this long to answer. */
const suspectMs = 1_500
/** A check that is so late says that this process was suspended: the limits begin anew. */
const lateMaxMs = 1_000

const watched = new Map<Watched, Known>()
let timer: NodeJS.Timeout | undefined
let checkedAt = 0

/** Watches a connection until it is dropped or `unwatch` is called. */
export function watch(connection: Watched): void {
  const receivedAt = performance.now()
  const received = connection.received()
  const known = {
    received,
    receivedAt,
    notReceivedBefore: receivedAt,
    isSuspect: false,
    isBeingChecked: false,
  }
  watched.set(connection, known)
  if (timer !== undefined) return
  checkedAt = receivedAt
  timer = setInterval(checkAll, checkMs).unref()
}

/** Watches a connection no longer. */
export function unwatch(connection: Watched): void {
  watched.delete(connection)
  if (watched.size > 0) return
  clearInterval(timer)
  timer = undefined
}

function checkAll(): void {
  const now = performance.now()
  const notReceivedBefore = checkedAt
  const lateMs = now - checkedAt - checkMs
  checkedAt = now
  for (const [connection, known] of watched) {
    const received = connection.received()
    if (received !== known.received) {
      Object.assign(known, { received, receivedAt: now, notReceivedBefore, isSuspect: false })
    } else if (lateMs > lateMaxMs) {
      // Answers may have come that this process has not read yet.
      known.receivedAt = now
    }
  }
  for (const [connection, known] of [...watched]) checkOne(connection, known, now)
}

function checkOne(connection: Watched, known: Known, now: number): void {
  const state = connection.state()
  if (state === 'left') {
    unwatch(connection)
    connection.drop('not closed by the other side')
  }
  if (state === 'held' && now - known.receivedAt > pingMs) connection.ping()
  if (state !== 'asking') return
  const silentMs = now - Math.max(connection.askedAt, known.receivedAt)
  const limitMs = known.isSuspect ? suspectMs : connection.limitMs
  if (silentMs <= limitMs) return
  if (connection.isWorking === undefined) giveUp(connection)
  else void confirm(connection, known, connection.isWorking)
}

/** Drops a connection, and suspects others without new bytes since its request. */
function giveUp(connection: Watched): void {
  const { server, askedAt } = connection
  unwatch(connection)
  connection.drop('no answer in time')
  for (const [other, known] of [...watched]) {
    if (other.server !== server || known.notReceivedBefore > askedAt || other.isWorking) continue
    if (other.state() === 'idle') {
      unwatch(other)
      other.drop('another connection to the same server has gone silent')
    } else known.isSuspect = true
  }
}

async function confirm(
  connection: Watched,
  known: Known,
  isWorking: () => Promise<boolean>,
): Promise<void> {
  if (known.isBeingChecked) return
  known.isBeingChecked = true
  const works = await isWorking().catch(() => false)
  known.isBeingChecked = false
  if (works) known.receivedAt = performance.now()
  else if (watched.has(connection) && connection.state() === 'asking') giveUp(connection)
}
