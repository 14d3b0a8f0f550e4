// Puts the time and the randomness of the simulated world in the place of the real ones, for as
// long as a run lasts. Not a library of fake timers: each timer belongs to the process whose code
// has set it, and dies or stands still with it.
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { startIds } from '../../src/commands/core/ids.ts'
import { randomFrom } from '../support/random.ts'
import type { Scheduler, Timer } from './scheduler.ts'

/** The world begins on a Monday morning. */
export const beginning = Date.UTC(2026, 0, 5, 9)

export interface VirtualTime {
  scheduler: Scheduler
  /** By how much the clock of whoever runs now is wrong. */
  clockOffsetMs(): number
  seed: number
}

const require = createRequire(import.meta.url)
const timersPromises: typeof import('node:timers/promises') = require('node:timers/promises')
const crypto: typeof import('node:crypto') = require('node:crypto')
const RealDate = Date
const real = {
  setTimeout,
  setInterval,
  setImmediate,
  clearTimeout,
  clearInterval,
  clearImmediate,
  random: Math.random,
  now: performance.now.bind(performance),
  sleep: timersPromises.setTimeout,
  immediate: timersPromises.setImmediate,
  randomFillSync: crypto.randomFillSync,
  randomBytes: crypto.randomBytes,
  randomUUID: crypto.randomUUID,
}

/** Real milliseconds, also while a run lasts. */
export const realNow = real.now

/** Runs `work` in virtual time. One run at a time. */
export async function inVirtualTime<T>(time: VirtualTime, work: () => Promise<T>): Promise<T> {
  const { next } = randomFrom(time.seed)
  replaceTimers(time.scheduler)
  replaceDate(time)
  replaceRandom(next)
  syncBuiltinESMExports()
  startIds()
  try {
    return await work()
  } finally {
    restore()
  }
}

/** What a program may do with a timer. */
function handleOf(timer: Timer) {
  const handle = {
    ref: () => handle,
    unref: () => handle,
    hasRef: () => true,
    refresh: () => handle,
    cancel: () => timer.cancel(),
    [Symbol.dispose]: () => timer.cancel(),
  }
  return handle
}

function cancel(handle: unknown): void {
  if (typeof handle !== 'object' || handle === null || !('cancel' in handle)) return
  if (typeof handle.cancel === 'function') handle.cancel()
}

function replaceTimers(scheduler: Scheduler): void {
  const after = (delayMs: number, run: () => void) =>
    scheduler.after(delayMs, scheduler.current(), run)
  const every = (run: () => void, delayMs: number) => {
    let timer: Timer
    const again = () => {
      timer = after(delayMs, again)
      run()
    }
    timer = after(delayMs, again)
    return handleOf({ cancel: () => timer.cancel() })
  }
  const sleep = (delayMs = 1, value?: unknown, { signal }: { signal?: AbortSignal } = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const timer = after(delayMs, () => resolve(value))
      const stop = () => {
        timer.cancel()
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', stop, { once: true })
    })
  Object.assign(globalThis, {
    setTimeout: (run: () => void, delayMs = 1) => handleOf(after(delayMs, run)),
    setInterval: every,
    setImmediate: (run: () => void) => handleOf(after(0, run)),
    clearTimeout: cancel,
    clearInterval: cancel,
    clearImmediate: cancel,
  })
  Object.assign(timersPromises, {
    setTimeout: sleep,
    setImmediate: (value?: unknown) => sleep(0, value),
  })
}

function replaceDate({ scheduler, clockOffsetMs }: VirtualTime): void {
  const now = () => Math.floor(beginning + scheduler.now() + clockOffsetMs())
  class VirtualDate extends RealDate {
    constructor(...given: [] | [number | string | Date]) {
      if (given.length === 0) super(now())
      else super(given[0])
    }

    static override now(): number {
      return now()
    }
  }
  Object.assign(globalThis, { Date: VirtualDate })
  Object.defineProperty(performance, 'now', { value: () => scheduler.now(), configurable: true })
}

function replaceRandom(next: () => number): void {
  const fill = <T extends NodeJS.ArrayBufferView>(into: T): T => {
    const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength)
    for (let at = 0; at < bytes.length; at += 1) bytes[at] = Math.floor(next() * 256)
    return into
  }
  Math.random = next
  Object.assign(crypto, {
    randomFillSync: fill,
    randomBytes: (size: number) => fill(Buffer.alloc(size)),
    randomUUID() {
      const hex = fill(Buffer.alloc(16)).toString('hex')
      const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`]
      return [...parts, `8${hex.slice(17, 20)}`, hex.slice(20)].join('-')
    },
  })
}

function restore(): void {
  const { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate } =
    real
  Object.assign(globalThis, { setTimeout, setInterval, setImmediate })
  Object.assign(globalThis, { clearTimeout, clearInterval, clearImmediate, Date: RealDate })
  Object.defineProperty(performance, 'now', { value: real.now, configurable: true })
  Math.random = real.random
  Object.assign(timersPromises, { setTimeout: real.sleep, setImmediate: real.immediate })
  const { randomFillSync, randomBytes, randomUUID } = real
  Object.assign(crypto, { randomFillSync, randomBytes, randomUUID })
  syncBuiltinESMExports()
}
