// What the simulated PostgreSQL knows for forgetting people: where text about them is, and what
// takes its place.
import { personalColumns } from '../../../src/projections/forgetting.ts'
import type { Tables } from './rebuilds.ts'
import { elementsOf, found, type Row, type Statement, textual, written } from './statements.ts'

export function personalStatements(tables: Tables): Statement[] {
  const forgetting = /^\s*update (?:"(\w+)"\.)?"(\w+)"\s+set "(\w+)" = \$1::(\w+)/
  return [
    {
      matches: /from pg_class c/,
      run([names, schema]) {
        const wanted = new Set(elementsOf(names))
        const places = [...tables.keys()].map(key => key.split('.'))
        return found(
          places.flatMap(([inSchema = '', table = '']) => {
            if (!wanted.has(table) || (schema !== null && schema !== inSchema)) return []
            const columns = personalColumns.filter(each => each.table === table)
            const both = columns.flatMap(({ column, person }) => [column, person])
            return [{ schema: inSchema, table, columns: both }]
          }),
        )
      },
    },
    {
      ...textual(forgetting, text => {
        const [, place, table = '', column = '', type = ''] = forgetting.exec(text) ?? []
        return ([erased, people], { undo, schema }) => {
          const about = new Set(elementsOf(people))
          const there = tables.get(`${place ?? schema}.${table}`)
          const value: unknown = type === 'text' ? erased : JSON.parse(String(erased))
          const isLeft = (row: Row) =>
            about.has(String(row.customer_id)) &&
            row[column] !== null &&
            row[column] !== undefined &&
            JSON.stringify(row[column]) !== JSON.stringify(value)
          const left = [...(there?.rows ?? [])].filter(([, row]) => isLeft(row))
          for (const [key, row] of left) there?.put(key, { ...row, [column]: value }, undo)
          return written(left.length)
        }
      }),
      locks: (_, { schema }) => (schema === 'readmodel' ? 'live' : schema),
    },
  ]
}
