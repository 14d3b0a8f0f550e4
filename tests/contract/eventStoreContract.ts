// The contract of the event store port: one suite that every adapter has to pass.
import { describe } from 'vitest'
import { commandContract } from './commandContract.ts'
import { appendContract } from './eventStoreAppends.ts'
import { concurrencyContract } from './eventStoreConcurrency.ts'
import { payloadContract } from './eventStorePayloads.ts'
import { readContract } from './eventStoreReads.ts'
import { type Setup, useSubject } from './eventStoreSubject.ts'
import { subscriptionContract } from './eventStoreSubscriptions.ts'
import { troubleContract } from './eventStoreTrouble.ts'
import { wholenessContract } from './eventStoreWholeness.ts'

export type { HeldAppend, Setup, Subject } from './eventStoreSubject.ts'

/**
 * Registers the contract for the adapter that `setup` makes. Every test owns its streams, so the
 * log may be shared with others and hold any events before.
 */
export function eventStoreContract(name: string, setup: Setup): void {
  describe(`${name} as an event store`, { timeout: 30_000 }, () => {
    const current = useSubject(setup)
    appendContract(current)
    concurrencyContract(current)
    readContract(current)
    wholenessContract(current)
    payloadContract(current)
    subscriptionContract(current)
    troubleContract(current, setup)
    commandContract(current)
  })
}
