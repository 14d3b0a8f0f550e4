// The interface of a server that the launcher runs.

export interface LocalServer {
  /** Holds the password: do not print it. */
  url: string
  /** True when it was already running, left by a launcher that was killed. */
  adopted: boolean
  pid: number
  /** Where its data really is; not always inside the directory that was asked for. */
  dataDirectory: string
  /** What runs and since which version, for a line of progress: "embedded 18.4". */
  label: string
  /** Shuts it down in order and waits until it is gone. May be called twice. */
  stop(): Promise<void>
  /** Ends it at once without waiting; it recovers at the next start. */
  kill(): void
}

export type Log = (line: string) => void

/** Something the operator can put right. The message is one line and says what to do. */
export class LocalServerError extends Error {
  override readonly name = 'LocalServerError'
}
