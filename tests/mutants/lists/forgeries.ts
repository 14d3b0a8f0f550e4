// What finds rows that were put back or written past the shop, and keeps them from being obeyed.
import type { TestedMutant } from '../mutant.ts'

const putBack = 'tests/security/putBack.test.ts'
const people = { file: 'src/infra/audit/personGuard.ts', test: putBack }
const catalogue = {
  file: 'src/infra/audit/catalogGuard.ts',
  test: 'tests/security/catalogue.test.ts',
}

export const forgeryGuards: readonly TestedMutant[] = [
  {
    name: 'password-put-back',
    promise: 'the password from before a change opens nothing when its row is put back',
    file: 'src/commands/account/passwords.ts',
    find: 'return passwordNumber >= noted',
    replace: 'return passwordNumber >= 0',
    test: putBack,
  },
  {
    name: 'password-noted-late',
    promise: 'a change of the password that the log was not told of is noted at the next sign-in',
    file: 'src/commands/account/passwords.ts',
    find: 'if (passwordNumber > noted) await',
    replace: 'if (passwordNumber < 0) await',
    test: putBack,
  },
  {
    name: 'reset-link-put-back',
    promise: 'a link that has set a password sets no other, whatever its row says',
    file: 'src/infra/accounts/recovery.ts',
    find: "['reset', customerId, String(number), String(end)]",
    replace: "['reset', customerId, String(number - number), String(end)]",
    test: putBack,
  },
  {
    name: 'reset-link-ended',
    promise: 'a link that has ended sets no password, whatever end its row says',
    file: 'src/infra/accounts/recovery.ts',
    find: "['reset', customerId, String(number), String(end)]",
    replace: "['reset', customerId, String(number), typeof end]",
    test: putBack,
  },
  {
    ...people,
    name: 'password-put-back-found',
    promise: 'an earlier password that was put back is named',
    find: 'password.number >= (numbers.get(id) ?? 0)',
    replace: 'password.number >= 0',
  },
  {
    ...people,
    name: 'key-put-back-found',
    promise: 'a key or an account of somebody who was erased is named',
    find: 'for (const { id, has_key: hasKey } of left) {',
    replace: 'for (const { id, has_key: hasKey } of left.slice(left.length)) {',
  },
  {
    ...people,
    name: 'key-destroyed-found',
    promise: 'a key that was destroyed past the shop is named',
    find: 'else keyless.add(id)',
    replace: 'else keyless.delete(id)',
  },
  {
    name: 'erased-again-by-worker',
    promise: 'what is put back of somebody who was erased is destroyed again',
    file: 'src/workers/jobs/erasedPeople.ts',
    find: 'if (!(await wasErased(app, id))) continue',
    replace: 'if (await wasErased(app, id)) continue',
    test: putBack,
  },
  {
    name: 'erasure-list-by-log',
    promise: 'nobody is put on the list of erased people whom the log does not say to be erased',
    file: 'src/workers/jobs/erasedPeople.ts',
    find: 'some.filter((_, index) => isErased[index])',
    replace: 'some.filter((_, index) => index < isErased.length)',
    test: putBack,
  },
  {
    name: 'erased-note-with-key',
    promise: 'who is noted as erased in the table and has a key can still be read',
    file: 'src/infra/crypto/personKeys.ts',
    find: ' and sealed_key is null`',
    replace: '`',
    test: putBack,
  },
  {
    name: 'orders-of-the-living',
    promise: 'orders are cancelled for an erasure that the log has, and for no other',
    file: 'src/commands/order/openOrders.ts',
    find: "if (customer.state.status !== 'erased') return false",
    replace: "if (customer.state.status === 'none') return false",
    test: putBack,
  },
  {
    name: 'undo-by-log',
    promise: 'the undo of an import reverses what the log has from that import, and nothing else',
    file: 'src/commands/catalogue/undoProduct.ts',
    find: 'if (!(await isOfRow(parts.app, undone, row))) return notOfImport',
    replace: 'if (!(await isOfRow(parts.app, undone, row))) void 0',
    test: 'tests/api/productImports.test.ts',
  },
  {
    ...catalogue,
    name: 'catalogue-differs',
    promise: 'a table, index, trigger or function that is not the one of the migrations is named',
    find: 'if ((expected.get(key) ?? definition) === definition) continue',
    replace: 'if (definition === definition) continue',
  },
  {
    ...catalogue,
    name: 'catalogue-unknown',
    promise: 'what no migration has made is named',
    find: 'for (const key of withoutTableParts(unknown)) yield',
    replace: 'for (const key of withoutTableParts([])) yield',
  },
  {
    ...catalogue,
    name: 'catalogue-gone',
    promise: 'what the migrations have made and is gone is named',
    find: 'for (const key of withoutTableParts(gone)) yield',
    replace: 'for (const key of withoutTableParts([])) yield',
  },
]
