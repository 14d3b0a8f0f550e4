// An API process on a simulated node: carries out what clients ask for as the HTTP routes do, and
// what the payment provider calls it for.

import type { Answer } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { digestOf } from '../../src/commands/core/ids.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { isTransient } from '../../src/kit/transient.ts'
import { PoisonEvent } from '../../src/ports/codec.ts'
import type { Envelope } from '../../src/ports/envelope.ts'
import { operations } from './operations.ts'
import { type Services, type ShopProcess, startShop } from './shopNode.ts'
import { commandIdOf, guestCartIdOf, people } from './workload/known.ts'
import type { Request } from './workload/plan.ts'
import type { Process } from './world.ts'

/** What an API answers. A lost process answers nothing. */
export type Reply =
  | { outcome: 'ok'; answer: Exclude<Answer, { rejected: string }> }
  | { outcome: 'refused'; code: string }
  /** Try again: nobody knows what became of it. */
  | { outcome: 'unavailable' }

export interface ApiProcess {
  handle(request: Request): Promise<Reply>
  app: ShopProcess
}

/** Starts an API; `onTrouble` is told of what it would answer 500 for. */
export function startApi(
  services: Services,
  process: Process,
  onTrouble: (what: string) => void,
): ApiProcess {
  const app = startShop(services, process)
  return {
    app,
    async handle(request) {
      const { commandId } = envelopeOf(request)
      services.begun.set(commandId, (services.begun.get(commandId) ?? 0) + 1)
      try {
        const answer = await operations[request.name]?.(
          { ...app, services },
          request.input,
          envelopeOf(request),
        )
        if (answer === undefined) return { outcome: 'refused', code: 'nothing' }
        return isRejection(answer)
          ? { outcome: 'refused', code: answer.rejected }
          : { outcome: 'ok', answer }
      } catch (error) {
        if (isTransient(error)) return { outcome: 'unavailable' }
        // A newer release has written to this stream: 409, as the API has it.
        if (error instanceof PoisonEvent) return { outcome: 'refused', code: 'newer-release' }
        onTrouble(`${request.name} was answered with 500: ${String(error)}`)
        return { outcome: 'unavailable' }
      }
    },
  }
}

function envelopeOf({ name, by, key, input, expectedRevision }: Request): Envelope {
  const commandId = commandIdOf(by, name, key)
  const person = people.get(by)
  const base = { ...systemEnvelope(by, new Date(), commandId), digest: digestOf(input) }
  const envelope: Envelope = { ...base, actor: person?.actor ?? base.actor }
  if (by.startsWith('guest')) {
    envelope.actor = { role: 'anonymous' }
    envelope.guestCartId = guestCartIdOf(by)
  }
  if (by === 'importer') envelope.source = 'ledger'
  if (expectedRevision !== undefined) envelope.expectedRevision = expectedRevision
  return envelope
}
