// Features that tests/acceptance promises and a test without the whole shop proves, each taken out.
import type { TestedMutant } from '../mutant.ts'

const money = { file: 'src/domain/kernel/money.ts', test: 'tests/domain/money.test.ts' }
const payments = { test: 'tests/domain/orderPayments.test.ts' }
const codec = { file: 'src/eventstore/core/codec.ts', test: 'tests/eventstore/codec.test.ts' }
const answers = {
  file: 'src/infra/caching/responseCache.ts',
  test: 'tests/infra/answerCache.test.ts',
}
const tokens = { file: 'src/infra/accounts/tokens.ts', test: 'tests/infra/tokens.test.ts' }

export const smallFeatures: readonly TestedMutant[] = [
  {
    ...money,
    name: 'exponents-of-currencies',
    promise: 'amounts have the decimals of their currency',
    find: 'return exponents[currency] ?? 2',
    replace: 'return exponents[currency] && 2',
  },
  {
    ...money,
    name: 'price-times-pieces',
    promise: 'a line costs its price times its pieces',
    find: 'return { amount: price.amount * quantity, currency: price.currency }',
    replace: 'return { amount: price.amount + quantity, currency: price.currency }',
  },
  {
    ...money,
    name: 'rounded-once',
    promise: 'a product of price and pieces is rounded once, and not for each piece',
    find: 'BigInt(whole + fraction) * BigInt(quantity) * (',
    replace: 'BigInt(whole) * 10n ** BigInt(fraction.length) * BigInt(quantity) * (',
  },
  {
    name: 'submission-recorded',
    promise: 'an order is recorded before anything is promised',
    file: 'src/domain/order/orderDecisions.ts',
    find: "return [{ type: 'OrderSubmitted', data: input }]",
    replace: 'return []',
    test: 'tests/domain/order.test.ts',
  },
  {
    ...payments,
    name: 'paid-orders-stay',
    promise: 'an order that is paid does not expire any more',
    file: 'src/domain/order/order.ts',
    find: "return state.status === 'pending' && state.expiresAt !== null && state.expiresAt <= now",
    replace: "return state.status !== 'none' && state.expiresAt !== null && state.expiresAt <= now",
  },
  {
    ...payments,
    name: 'archived-once-finished',
    promise: 'orders leave the lists once they are finished, and not before',
    file: 'src/domain/order/orderDecisions.ts',
    find: 'if (!finished.includes(state.status) || isMoneyMoving) {',
    replace: 'if (isMoneyMoving) {',
  },
  {
    ...codec,
    name: 'place-of-events',
    promise: 'an event comes back with its place in the log',
    find: '    position: recorded.position,\n',
    replace: '    position: recorded.position + 1n,\n',
  },
  {
    ...codec,
    name: 'upcasters-in-between',
    promise: 'an old event is read through all shapes that its type has had since',
    find: 'const data = upcast(recorded, metadata.v, kind, upcasters)',
    replace: 'const data = upcast(recorded, kind.version, kind, upcasters)',
  },
  {
    ...answers,
    name: 'cache-hits-counted',
    promise: 'hits and misses of the cache are counted',
    find: '  metrics.cache(kind, isUsable)\n',
    replace: '',
  },
  {
    ...answers,
    name: 'cached-with-all',
    promise: 'a cached answer has the ETag and the cursor that it was made with',
    find: "...(nextCursor === '' ? {} : { nextCursor }),",
    replace: '',
  },
  {
    name: 'cache-ended-elsewhere',
    promise: 'a change of the catalogue makes answers of all processes old',
    file: 'src/infra/caching/cacheVersion.ts',
    find: '.multi().get(versionKey).del(versionKey).exec()',
    replace: '.multi().get(versionKey).get(versionKey).exec()',
    test: answers.test,
  },
  {
    name: 'cache-unlinked',
    promise: 'old answers leave Redis with the version that they belong to',
    file: 'src/infra/caching/cacheVersion.ts',
    find: "if (typeof ended === 'string') redis.unlink(answersKey(ended)).catch(() => undefined)",
    replace:
      "if (typeof ended === 'bigint') redis.unlink(answersKey(ended)).catch(() => undefined)",
    test: answers.test,
  },
  {
    ...tokens,
    name: 'token-subject',
    promise: 'a token says whom it speaks for, and in which session',
    find: 'return { claims: { customerId, roles, sessionId, endsAt }, exp }',
    replace: 'return { claims: { customerId: sessionId, roles, sessionId, endsAt }, exp }',
  },
  {
    ...tokens,
    name: 'keys-in-turn',
    promise: 'a token that was signed with the key of before is good until it ends',
    file: 'src/infra/accounts/signingKeys.ts',
    find: 'where retired_at is null or retired_at > now() - make_interval(secs => $1)',
    replace: 'where retired_at is null and $1::float8 is not null',
  },
  {
    name: 'one-successor',
    promise: 'a refresh token has one successor, however many ask at once',
    file: 'src/infra/accounts/refreshTokens.ts',
    find: "createHmac('sha256', key).update(token).digest('base64url')",
    replace: "createHmac('sha256', key).update(newSecret()).digest('base64url')",
    test: 'tests/infra/sessions.test.ts',
  },
  {
    name: 'webhook-address-pinned',
    promise: 'a webhook connects to the address that was checked, and not to a later one',
    file: 'src/infra/webhooks/webhookSender.ts',
    find: '      lookup: lookup(isPlain),\n',
    replace: '',
    test: 'tests/infra/webhookSender.test.ts',
  },
  {
    name: 'sample-catalogue-once',
    promise: 'the sample catalogue comes into an empty shop alone',
    file: 'src/main/sampleCatalogue.ts',
    find: '  if ((await eventStore.head()) > startOfLog) return 0\n',
    replace: '',
    test: 'tests/sampleCatalogue.test.ts',
  },
  {
    name: 'conflicts-decided-anew',
    promise: 'what two processes decide at the same time is all applied',
    file: 'src/commands/core/repository.ts',
    find: 'if (error instanceof WrongRevision) return false',
    replace: 'if (error instanceof WrongRevision) throw error',
    test: 'tests/commands/repository.test.ts',
  },
]
