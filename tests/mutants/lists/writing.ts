// Commands, their ids and keys, and the state that they are decided on.
import type { TestedMutant } from '../mutant.ts'

const repository = 'src/commands/repository.ts'
const plan = 'src/commands/plan.ts'
const repeatedAppends = 'tests/commands/repeatedAppends.test.ts'
const ofRepository = 'tests/commands/repository.test.ts'

export const writingGuards: readonly TestedMutant[] = [
  {
    name: 'repeated-append-cached',
    promise: 'a process never goes on from a state that skips what others have written',
    file: repository,
    find: 'if (repeated || revision !== current.revision + encoded.length) {',
    replace: 'if (false) {',
    test: repeatedAppends,
    named: 'is settled with where it had led to, after others have written more',
  },
  {
    name: 'refusal-on-remembered-state',
    promise: 'a refusal rests on the newest state, and not on what a process remembers',
    file: repository,
    find: '} else if (isCertain) {',
    replace: '} else {',
    test: ofRepository,
    named: 'refuse on the newest state only: what the other has brought in counts',
  },
  {
    name: 'older-state-answers',
    promise: 'a command is not answered from a state that is older than what it led to',
    file: plan,
    find: 'return before !== undefined && before.revision <= current.revision',
    replace: 'return before !== undefined',
    test: 'tests/commands/handled.test.ts',
    named: 'a command is not answered from a state that is older than what it led to',
  },
  {
    name: 'repeat-without-content',
    promise: 'a step that was decided otherwise is another event, and no repeat of the first',
    file: plan,
    find: '`${index}/${fingerprint(JSON.stringify(event))}`',
    replace: '`${index}`',
    test: repeatedAppends,
    named: 'a step is another event where it was decided otherwise, and only there',
  },
  {
    name: 'expected-revision',
    promise: 'a change that rests on another version of the object is refused',
    file: plan,
    find: 'expectedRevision !== undefined && expectedRevision !== revision',
    replace: 'expectedRevision !== undefined && expectedRevision > revision',
    test: ofRepository,
    named: 'is refused when something has changed since, and learns where it is now',
  },
  {
    name: 'hidden-before-stale',
    promise: 'who may not see an object learns neither its version nor that it is there',
    file: plan,
    find: 'if (isRejection(decision) && isHidden(decision)) return decision',
    replace: '',
    test: 'tests/api/preconditions.test.ts',
    named: 'tells no more than a missing object does, neither revision nor existence',
  },
  {
    name: 'key-reused-at-once',
    promise: 'one idempotency key is good for one request, also when two come at the same time',
    file: plan,
    find: 'if (twin.waiting.envelope.digest !== envelope.digest) return keyReused()',
    replace: '',
    test: ofRepository,
    named: 'is refused at the same time, and the honest retry beside it is not',
  },
  {
    name: 'key-reused-later',
    promise: 'one idempotency key is good for one request, however much later another one comes',
    file: plan,
    find: 'if (before.digest !== envelope.digest) return keyReused()',
    replace: '',
    test: 'tests/api/idempotency.test.ts',
    named: 'with another body is refused',
  },
  {
    name: 'event-of-newer-release',
    promise: 'an order that a newer release has written to is answered with 409, and not with 500',
    file: 'src/api/problems.ts',
    find: 'if (error instanceof UnknownEvent) {',
    replace: 'if (error instanceof UnknownEvent && request.id === undefined) {',
    test: 'tests/api/newerRelease.test.ts',
    named: 'commands on an order with %s answer 409',
  },
  {
    name: 'version-of-newer-release',
    promise: 'a shape of an event that this release does not know is never taken for one it knows',
    file: 'src/eventstore/codec.ts',
    find: 'if (metadata.v > kind.version) {',
    replace: 'if (metadata.v > 1_000) {',
    test: 'tests/api/newerRelease.test.ts',
    named: 'commands on an order with %s answer 409',
  },
]
