// docs/events.md: every event of the log, written from the schemas that check them.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TSchema } from 'typebox'
import { categories, eventSchemas, eventTypesIn } from '../../src/domain/index.ts'
import { personalPaths } from '../../src/domain/kernel/personal.ts'
import { actorOfEvent, ownerOfStream } from '../../src/domain/kernel/types.ts'
import { eventIndex } from '../../src/projections/audit/eventIndex.ts'
import { projections } from '../../src/projections/index.ts'
import { reactions } from '../../src/workers/reactions/index.ts'
import { shapesUsed, typeOf } from './schemaText.ts'

const project = join(import.meta.dirname, '../..')

const introduction = `# The events

<!-- Written by npm run docs from the schemas in src/domain; a test compares the two. -->

Every change is an event in one of these streams. Names and payloads are the storage format: an
event type is never renamed or removed, and a new shape is a new version with an upcaster
([how](decisions/0025-event-versions.md)).

- **v** is the version of the payload that is written today. Older versions are upcast when they
  are read.
- Fields in **bold** are personal. They are encrypted in the log with the key of the person named
  under *personal of*, and read \`[erased]\` once that key has been destroyed. *customer of the
  stream* is the customer to whom the order belongs; *actor* is the person who caused the event.
- **Read by** lists the projections and reactions that handle the event. The event index of the
  audit reads all of them.

Each event also carries metadata: event id, schema version, command id, correlation id, causation
id, actor and time.
`

/** The whole page. */
export async function eventCatalogue(): Promise<string> {
  const files = await aggregateFiles()
  const sections = categories.map(category => sectionOf(category, files.get(category) ?? ''))
  return `${introduction}\n${sections.join('\n')}\n${shapes()}`
}

/** Where each aggregate is, by the category of its streams. */
async function aggregateFiles(): Promise<Map<string, string>> {
  const names = await readdir(join(project, 'src/domain'), { recursive: true })
  const found = new Map<string, string>()
  for (const name of names.filter(each => each.endsWith('.ts')).toSorted()) {
    const text = await readFile(join(project, 'src/domain', name), 'utf8')
    const [, category] = /^ {2}category: '([\w-]+)'/m.exec(text) ?? []
    if (category !== undefined) found.set(category, `src/domain/${name}`)
  }
  return found
}

function sectionOf(category: string, file: string): string {
  const types = eventTypesIn(category)
  const head = '| Event | v | Payload | Personal of | Read by |\n|---|---|---|---|---|'
  const rows = types.map(rowOf).join('\n')
  return `## \`${category}-{id}\`\n\nAggregate: \`${file}\`\n\n${head}\n${rows}\n`
}

type Payload = TSchema & { version?: number; subject?: string; properties: Record<string, TSchema> }

function rowOf(type: string): string {
  const schema = eventSchemas[type] as unknown as Payload
  const personal = new Set(personalPaths(schema).map(([field]) => field))
  const fields = Object.entries(schema.properties).map(([name, field]) => {
    const shown = personal.has(name) ? `**${name}**` : name
    return `${shown}${'~optional' in field ? '?' : ''}: ${typeOf(field)}`
  })
  const cells = [
    type,
    `${schema.version ?? 1}`,
    fields.join('<br>'),
    schema.subject === undefined ? '' : subjectOf(schema.subject),
    readersOf(type).join(', '),
  ]
  return `| ${cells.join(' | ')} |`
}

function subjectOf(subject: string): string {
  if (subject === ownerOfStream) return 'customer of the stream'
  return subject === actorOfEvent ? 'actor' : `\`${subject}\``
}

function readersOf(type: string): string[] {
  const readers = [...projections, ...reactions].filter(({ name, on }) => {
    return name !== eventIndex.name && (on as readonly string[]).includes(type)
  })
  return readers.map(({ name }) => name)
}

function shapes(): string {
  const rows = shapesUsed().map(([name, text]) => `| ${name} | ${text} |`)
  return `## Shapes\n\n| Name | What it is |\n|---|---|\n${rows.join('\n')}\n`
}
