// A log on a server that others use, and streams that are not whole.
import type { TestedMutant } from '../mutant.ts'

const e2e = 'tests/e2e/onEventStoreDb.test.ts'

export const ownStreamGuards: readonly TestedMutant[] = [
  {
    name: 'streams-begin-at-zero',
    promise: 'nothing is decided from a stream of which the beginning is hidden',
    file: 'src/eventstore/core/wholeStream.ts',
    find: 'if (revision !== next) throw missing(stream, next, revision - 1)',
    replace: 'next = revision',
    test: e2e,
    slow: true,
  },
  {
    name: 'limits-are-findings',
    promise: 'whoever verifies the log is told of events that the store hides',
    file: 'src/audit/streamCheck.ts',
    find: 'of eventStore.streamLimits()',
    replace: 'of [] as { stream: string; detail: string }[]',
    test: e2e,
    slow: true,
  },
  {
    name: 'streams-as-long-as-the-log',
    promise: 'whoever verifies the log is told of a stream that was deleted',
    file: 'src/audit/streamCheck.ts',
    find: 'if (head?.fault !== undefined)',
    replace: 'if (head === undefined)',
    also: [
      {
        file: 'src/audit/streamCheck.ts',
        find: "else if (head?.revision === 'no-stream' || (head?.revision ?? -1) < revision)",
        replace: 'else if (revision < 0)',
      },
    ],
    test: e2e,
    slow: true,
  },
  {
    name: 'own-streams-alone',
    promise: 'a shop is new on a server that others use, and sees none of their events',
    file: 'src/main/openEventStore.ts',
    find: 'prefix: streamPrefix, streamPrefixes, types',
    replace: 'prefix: streamPrefix, types',
    test: 'tests/infra/shopIdentity.test.ts',
  },
  {
    name: 'stream-prefix-remembered',
    promise: 'a start with another prefix of streams is refused',
    file: 'src/infra/log/shopIdentity.ts',
    find: 'if (before !== streamPrefix) throw wrongPrefix(before, streamPrefix)',
    replace: '',
    test: 'tests/infra/shopIdentity.test.ts',
  },
  {
    name: 'new-shop-own-log',
    promise: 'a new shop does not write into the log of another',
    file: 'src/infra/log/logIdentity.ts',
    find: 'return accepted !== true && !hasSeen',
    replace: 'return accepted === true && !hasSeen',
    test: 'tests/infra/shopIdentity.test.ts',
  },
]
