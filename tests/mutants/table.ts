// The table of docs/mutations.md, made from the list.
import type { TestedMutant } from './mutant.ts'

const head = `| Mutant | What the shop no longer keeps | In | Noticed by |
|---|---|---|---|`

/** A row for each mutant, in the order of the list. */
export function tableOf(list: readonly TestedMutant[]): string {
  const rows = list.map(({ name, promise, file, test, named }) => {
    return `| ${name} | ${promise} | \`${file}\` | \`${test}\` › ${named} |`
  })
  return [head, ...rows].join('\n')
}
