// Commands, their ids and keys, and the state that they are decided on.
import type { TestedMutant } from '../mutant.ts'

const repository = 'src/commands/core/repository.ts'
const plan = 'src/commands/core/plan.ts'
const repeatedAppends = 'tests/commands/repeatedAppends.test.ts'
const ofRepository = 'tests/commands/repository.test.ts'

const batch = {
  file: 'src/eventstore/eventstoredb/batchAppend.ts',
  test: 'tests/eventstore/eventstoredbBatch.test.ts',
}

export const writingGuards: readonly TestedMutant[] = [
  {
    name: 'repeated-append-cached',
    promise: 'a process never goes on from a state that skips what others have written',
    file: repository,
    find: 'if (repeated || revision !== current.revision + encoded.length) {',
    replace: 'if (false) {',
    test: repeatedAppends,
  },
  {
    name: 'refusal-on-remembered-state',
    promise: 'a refusal rests on the newest state, and not on what a process remembers',
    file: repository,
    find: '} else if (isCertain) {',
    replace: '} else {',
    test: ofRepository,
  },
  {
    name: 'older-state-answers',
    promise: 'a command is not answered from a state that is older than what it led to',
    file: plan,
    find: 'return before !== undefined && before.revision <= current.revision',
    replace: 'return before !== undefined',
    test: 'tests/commands/handled.test.ts',
  },
  {
    name: 'repeat-without-content',
    promise: 'a step that was decided otherwise is another event, and no repeat of the first',
    file: plan,
    find: '`${index}/${fingerprint(JSON.stringify(event))}`',
    replace: '`${index}`',
    test: repeatedAppends,
  },
  {
    name: 'expected-revision',
    promise: 'a change that rests on another version of the object is refused',
    file: plan,
    find: 'expectedRevision !== undefined && expectedRevision !== revision',
    replace: 'expectedRevision !== undefined && expectedRevision > revision',
    test: ofRepository,
  },
  {
    name: 'hidden-before-stale',
    promise: 'who may not see an object learns neither its version nor that it is there',
    file: plan,
    find: 'if (isRejection(decision) && isHidden(decision)) return decision',
    replace: '',
    test: 'tests/api/preconditions.test.ts',
  },
  {
    name: 'key-reused-at-once',
    promise: 'one idempotency key is good for one request, also when two come at the same time',
    file: plan,
    find: 'if (twin.command.envelope.digest !== envelope.digest) return keyReused()',
    replace: '',
    test: ofRepository,
  },
  {
    name: 'key-reused-later',
    promise: 'one idempotency key is good for one request, however much later another one comes',
    file: plan,
    find: 'if (before.digest !== envelope.digest) return keyReused()',
    replace: '',
    test: 'tests/api/idempotency.test.ts',
  },
  {
    name: 'event-of-newer-release',
    promise: 'an order that a newer release has written to is answered with 409, and not with 500',
    file: 'src/api/http/problems.ts',
    find: 'if (error instanceof UnknownEvent) {',
    replace: 'if (error instanceof UnknownEvent && request.id === undefined) {',
    test: 'tests/api/newerRelease.test.ts',
  },
  {
    name: 'version-of-newer-release',
    promise: 'a shape of an event that this release does not know is never taken for one it knows',
    file: 'src/eventstore/core/codec.ts',
    find: 'if (metadata.v > kind.version) {',
    replace: 'if (metadata.v > 1_000) {',
    test: 'tests/api/newerRelease.test.ts',
  },
  {
    ...batch,
    name: 'answers-to-nobody',
    promise: 'an answer that nobody waits for is dropped, and ends nothing',
    find: 'if (asked === undefined) return',
    replace: "if (asked === undefined) return fail(line, new Error('to nobody'))",
  },
  {
    ...batch,
    name: 'waiting-on-a-broken-call',
    promise: 'what waits on a call that breaks is sent again',
    find: 'for (const { reject } of batch.pending.values()) reject(error)',
    replace: '',
  },
  {
    ...batch,
    name: 'silent-call-kept',
    promise: 'a call over which nothing comes is given up for another one',
    find: 'isSilent ||= batch.answeredAt < queuedAt',
    replace: '',
  },
  {
    ...batch,
    name: 'lively-call-dropped',
    promise: 'a call that answers others is kept when one answer is lost',
    find: 'isSilent ||= batch.answeredAt < queuedAt',
    replace: 'isSilent = true',
  },
  {
    ...batch,
    file: 'src/eventstore/eventstoredb/batchMessages.ts',
    name: 'server-not-ready-is-final',
    promise: 'an append that a server without leader refuses is sent again in the same way',
    find: 'if (code !== 0 && !isTransientAnswer(code)) throw new SendAlone()',
    replace: 'throw new SendAlone()',
  },
  {
    ...batch,
    file: 'src/eventstore/eventstoredb/eventstoredb.ts',
    name: 'json-written-twice',
    promise: 'what is stored is the very JSON that was made for the event',
    find: 'data: Buffer.from(text?.data ?? JSON.stringify(data)),',
    replace: 'data: Buffer.from(JSON.stringify(data)),',
  },
  {
    file: 'src/eventstore/eventstoredb/eventstoredb.ts',
    test: 'tests/contract/eventstoredb.test.ts',
    name: 'large-append-with-others',
    promise: 'a large append goes alone',
    find: 'if (size > batchedBytesMax) return alone()',
    replace: '',
  },
]
