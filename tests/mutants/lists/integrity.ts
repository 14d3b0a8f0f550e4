// What proves that the log was not changed, and what makes a person forgotten.
import type { TestedMutant } from '../mutant.ts'

const snapshots = 'tests/infra/snapshots.test.ts'
const marks = { file: 'src/infra/audit/highWaterMarks.ts', test: snapshots }
const eventSeals = { file: 'src/eventstore/core/eventSeals.ts', test: snapshots }
const keys = { file: 'src/infra/crypto/personKeys.ts', test: 'tests/infra/personKeys.test.ts' }
const identity = { file: 'src/infra/log/shopIdentity.ts', test: 'tests/infra/shopIdentity.test.ts' }

const ownLog = { file: 'src/infra/log/logIdentity.ts', test: 'tests/infra/logIdentity.test.ts' }

export const integrityGuards: readonly TestedMutant[] = [
  {
    name: 'snapshot-seal',
    promise: 'a snapshot that somebody has changed in the database is not used',
    file: 'src/infra/log/snapshots.ts',
    find: "return isRowSeal(secrets, 'snapshots', { fields, seal }) ? snapshot : undefined",
    replace: "return isRowSeal(secrets, 'snapshots', { fields, seal }) ? snapshot : snapshot",
    test: snapshots,
  },
  {
    ...marks,
    name: 'mark-in-the-database',
    promise: 'who deletes checkpoints is found by the mark that is kept in the database',
    find: 'read: async log => (await rows<{ sealed: string }>(pool, readRow, [log]))[0]?.sealed,',
    replace:
      'read: async log => (await rows<{ sealed: string }>(pool, readRow, [log]))[1]?.sealed,',
  },
  {
    ...marks,
    name: 'mark-in-redis',
    promise: 'who takes the mark out of the database is found by the one in Redis',
    find: 'read: async log => (await connect().get(keyOf(log))) ?? undefined,',
    replace: 'read: async log => (await connect().get(`${keyOf(log)}-`)) ?? undefined,',
  },
  {
    ...marks,
    name: 'mark-in-a-file',
    promise: 'who takes the mark out of the database is found by the one in a file',
    find: "return await readFile(file(log), 'utf8')",
    replace: "return await readFile(`${file(log)}-`, 'utf8')",
  },
  {
    ...marks,
    name: 'mark-seal',
    promise: 'a mark that somebody has made up is not believed',
    find: "if (!isRowSeal(secrets, 'audit-marks', { fields: [text], seal })) return undefined",
    replace: "if (!isRowSeal(secrets, 'audit-marks', { fields: [text], seal })) void 0",
  },
  {
    ...marks,
    name: 'mark-of-another-log',
    promise: 'the mark of another log is not believed',
    find: '!Sealed.Check(parsed) || parsed.log !== log',
    replace: '!Sealed.Check(parsed)',
  },
  {
    ...eventSeals,
    name: 'event-seal-place',
    promise: 'an event that was moved to another place in its stream is found',
    find: "return `${JSON.stringify(stream)}\\n${revision ?? ''}`",
    replace: "return `${JSON.stringify(stream)}\\n${typeof revision === 'string' ? revision : ''}`",
  },
  {
    ...eventSeals,
    name: 'event-seal-compared',
    promise: 'an event whose content was changed is found',
    find: "return isSame(mac, expected) && /^[ar]/.test(mac) ? 'sealed' : 'forged'",
    replace: "return expected !== '' && /^[ar]/.test(mac) ? 'sealed' : 'forged'",
  },
  {
    name: 'event-without-seal',
    promise: 'an event that somebody has put in without a seal is found',
    file: 'src/audit/sealCheck.ts',
    find: "if (state === 'unsealed' && isSealed) {",
    replace: "if (state === 'unsealed' && isSealed && isLate) {",
    test: snapshots,
  },
  {
    ...keys,
    name: 'erased-by-the-log',
    promise: 'what the log says about an erased person cannot be read from the erasure on',
    find: 'if (!(key instanceof KeyObject) || gone.has(subject)) return undefined',
    replace: 'if (!(key instanceof KeyObject)) return undefined',
  },
  {
    ...keys,
    name: 'erased-beside-a-look-up',
    promise: 'the key of an erased person does not come back by a look-up that was under way',
    find: "if (known.get(subject) === 'erased') found.set(subject, 'erased')\n      else known",
    replace: 'known',
  },
  {
    ...keys,
    name: 'key-destroyed',
    promise: 'the key of an erased person is destroyed, and not only marked',
    find: 'set sealed_key = null, erased_at =',
    replace: 'set erased_at =',
  },
  {
    name: 'kept-tables-forget',
    promise: 'tables that a rebuild has kept forget an erased person, too',
    file: 'src/projections/core/personal.ts',
    find: "n.nspname !~ '^pg_' and",
    replace: "n.nspname !~ '^(pg_|previous_|rebuild_)' and",
    test: 'tests/projections/personal.test.ts',
  },
  {
    ...identity,
    name: 'wrong-secret-at-start',
    promise: 'a start with a wrong SECRET_KEY ends at once, and changes nothing',
    find: "  opened(() => secrets.open('sentinel', known.sealed_sentinel, known.shop_id))\n",
    replace: '  if (secrets === undefined) return\n',
  },
  {
    ...identity,
    name: 'wrong-currency-at-start',
    promise: 'a start with another currency than that of the prices in the log is refused',
    find: 'if (sold !== undefined && sold !== currency) throw wrongCurrency(sold, currency)',
    replace: '',
  },
  {
    ...ownLog,
    name: 'log-of-another-shop',
    promise: 'a start with the log of another shop is refused',
    find: "return first === undefined ? 'it is empty' : 'it begins with another event'",
    replace: 'return undefined',
  },
  {
    ...ownLog,
    name: 'log-of-yesterday',
    promise: 'a log that ends before what was seen is refused',
    find: '  if (position !== null && position > head) return older(head, position)\n',
    replace: '',
  },
  {
    ...ownLog,
    name: 'log-with-another-history',
    promise: 'a log that has another event where one was seen is refused',
    find: 'return `at position ${position} is not the event that was seen there`',
    replace: 'return undefined',
  },
  {
    ...ownLog,
    name: 'log-behind-a-read-model',
    promise: 'a log that ends before a read model is refused',
    find: '  if (reached > end) return older(end, reached)\n',
    replace: '',
  },
  {
    ...ownLog,
    file: 'src/infra/log/ownLog.ts',
    name: 'nothing-written-to-another-log',
    promise: 'while the log is another one, commands write nothing to it',
    find: '  if (fault === undefined) return\n  throw new ForeignLog(fault)\n',
    replace: '',
  },
  {
    ...ownLog,
    file: 'src/infra/log/ownLog.ts',
    name: 'nothing-applied-of-another-log',
    promise: 'while the log is another one, read models apply nothing of it',
    find: '    if (fault !== undefined) throw new ForeignLog(fault)\n',
    replace: '',
  },
  {
    ...ownLog,
    file: 'src/eventstore/eventstoredb/batchAppend.ts',
    name: 'connection-to-another-log',
    promise: 'what is sent over a new connection is sent to the log of before',
    find: '  confirm()\n    .then(() => openBatch(client))\n',
    replace: '  openBatch(client)\n',
  },
  {
    ...ownLog,
    name: 'adoption-restarts',
    promise: 'a process that ran before another log was adopted does not go on',
    find: '  if (adoptions !== state.adoptions) return { began, fault: adoptedMeanwhile }\n',
    replace: '',
  },
]
