// What proves that the log was not changed, and what makes a person forgotten.
import type { TestedMutant } from '../mutant.ts'

const snapshots = 'tests/infra/snapshots.test.ts'
const marks = { file: 'src/infra/auditMarks.ts', test: snapshots }
const eventSeals = { file: 'src/eventstore/eventSeals.ts', test: snapshots }
const keys = { file: 'src/infra/personKeys.ts', test: 'tests/infra/personKeys.test.ts' }
const identity = { file: 'src/infra/shopIdentity.ts', test: 'tests/infra/shopIdentity.test.ts' }

export const integrityGuards: readonly TestedMutant[] = [
  {
    name: 'snapshot-seal',
    promise: 'a snapshot that somebody has changed in the database is not used',
    file: 'src/infra/snapshots.ts',
    find: "return isRowSeal(secrets, 'snapshots', { fields, seal }) ? snapshot : undefined",
    replace: "return isRowSeal(secrets, 'snapshots', { fields, seal }) ? snapshot : snapshot",
    test: snapshots,
    named: 'are not used where somebody else has changed the %s',
  },
  {
    ...marks,
    name: 'mark-in-the-database',
    promise: 'who deletes checkpoints is found by the mark that is kept in the database',
    find: 'read: async log => (await rows<{ sealed: string }>(pool, readRow, [log]))[0]?.sealed,',
    replace:
      'read: async log => (await rows<{ sealed: string }>(pool, readRow, [log]))[1]?.sealed,',
    named: 'is in the %s by itself',
  },
  {
    ...marks,
    name: 'mark-in-redis',
    promise: 'who takes the mark out of the database is found by the one in Redis',
    find: 'read: async log => (await connect().get(keyOf(log))) ?? undefined,',
    replace: 'read: async log => (await connect().get(`${keyOf(log)}-`)) ?? undefined,',
    named: 'is in the %s by itself',
  },
  {
    ...marks,
    name: 'mark-in-a-file',
    promise: 'who takes the mark out of the database is found by the one in a file',
    find: "return await readFile(file(log), 'utf8')",
    replace: "return await readFile(`${file(log)}-`, 'utf8')",
    named: 'is in the %s by itself',
  },
  {
    ...marks,
    name: 'mark-seal',
    promise: 'a mark that somebody has made up is not believed',
    find: "if (!isRowSeal(secrets, 'audit-marks', { fields: [text], seal })) return undefined",
    replace: "if (!isRowSeal(secrets, 'audit-marks', { fields: [text], seal })) void 0",
    named: 'is in the %s by itself',
  },
  {
    ...marks,
    name: 'mark-of-another-log',
    promise: 'the mark of another log is not believed',
    find: '!Sealed.Check(said) || said.log !== log',
    replace: '!Sealed.Check(said)',
    named: 'of another log is not believed',
  },
  {
    ...eventSeals,
    name: 'event-seal-place',
    promise: 'an event that was moved to another place in its stream is found',
    find: "return `${JSON.stringify(stream)}\\n${revision ?? ''}`",
    replace: "return `${JSON.stringify(stream)}\\n${typeof revision === 'string' ? revision : ''}`",
    named: 'is not with another %s',
  },
  {
    ...eventSeals,
    name: 'event-seal-compared',
    promise: 'an event whose content was changed is found',
    find: "return isSame(mac, expected) && /^[ar]/.test(mac) ? 'sealed' : 'forged'",
    replace: "return expected !== '' && /^[ar]/.test(mac) ? 'sealed' : 'forged'",
    named: 'is not with another %s',
  },
  {
    name: 'event-without-seal',
    promise: 'an event that somebody has put in without a seal is found',
    file: 'src/commands/sealCheck.ts',
    find: "if (state === 'unsealed' && isSealed) {",
    replace: "if (state === 'unsealed' && isSealed && isLate) {",
    test: snapshots,
    named: 'may be missing before the first that has one, and no more behind it',
  },
  {
    ...keys,
    name: 'erased-by-the-log',
    promise: 'what the log says about an erased person cannot be read from the erasure on',
    find: 'if (!(key instanceof KeyObject) || gone.has(subject)) return undefined',
    replace: 'if (!(key instanceof KeyObject)) return undefined',
    named: 'that the log tells of holds at once, before the key is destroyed',
  },
  {
    ...keys,
    name: 'erased-beside-a-look-up',
    promise: 'the key of an erased person does not come back by a look-up that was under way',
    find: "if (known.get(subject) === 'erased') found.set(subject, 'erased')\n      else known",
    replace: 'known',
    named: 'wins over a look-up that had read the key before',
  },
  {
    ...keys,
    name: 'key-destroyed',
    promise: 'the key of an erased person is destroyed, and not only marked',
    find: 'set sealed_key = null, erased_at =',
    replace: 'set erased_at =',
    named: 'makes what was sealed unreadable, here and elsewhere',
  },
  {
    name: 'kept-tables-forget',
    promise: 'tables that a rebuild has kept forget an erased person, too',
    file: 'src/projections/personal.ts',
    find: "n.nspname !~ '^pg_' and",
    replace: "n.nspname !~ '^(pg_|previous_|rebuild_)' and",
    test: 'tests/projections/personal.test.ts',
    named: 'is found nowhere once its person is erased, also where a rebuild has kept it',
  },
  {
    ...identity,
    name: 'wrong-secret-at-start',
    promise: 'a start with a wrong SECRET_KEY ends at once, and changes nothing',
    find: "  opened(() => secrets.open('sentinel', known.sealed_sentinel, known.shop_id))\n",
    replace: '  if (secrets === undefined) return\n',
    named: 'ends with one line and exit code 1, and changes nothing',
  },
  {
    ...identity,
    name: 'wrong-currency-at-start',
    promise: 'a start with another currency than that of the prices in the log is refused',
    find: 'if (sold !== undefined && sold !== currency) throw wrongCurrency(sold, currency)',
    replace: '',
    named: 'is found out from the data itself where nothing was remembered yet',
  },
]
