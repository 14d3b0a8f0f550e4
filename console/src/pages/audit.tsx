// The audit log with its filters, whether it is as it was signed, and what has changed of a thing.
import { Button, Stack, TextField } from '@mui/material'
import { type FormEvent, useState } from 'react'
import type { AuditEvent } from '../api/shapes.ts'
import { Events } from '../parts/auditEvents.tsx'
import { Fetched, Nothing, Page, Panel } from '../parts/panel.tsx'
import { DiffPanel } from './auditDiff.tsx'
import { VerifyPanel } from './auditVerify.tsx'

const noFilter = { type: '', stream: '', actor: '', correlationId: '', from: '', to: '' }
type Filter = typeof noFilter

const fields: readonly { name: keyof Filter; label: string; example: string; type?: string }[] = [
  { name: 'type', label: 'Event', example: 'OrderPaid' },
  { name: 'stream', label: 'Stream', example: 'order-01980000-…' },
  { name: 'actor', label: 'Actor', example: 'id of a person' },
  { name: 'correlationId', label: 'Trace', example: 'correlation id' },
  { name: 'from', label: 'From', example: '', type: 'datetime-local' },
  { name: 'to', label: 'Before', example: '', type: 'datetime-local' },
]

export function AuditPage() {
  return (
    <Page title="Audit">
      <VerifyPanel />
      <LogPanel />
      <DiffPanel />
    </Page>
  )
}

/** What the API is asked for: local times become moments. */
function queryOf(filter: Filter, after: string): string {
  const query = new URLSearchParams({ limit: '50', after })
  for (const [name, value] of Object.entries(filter)) {
    const text = value.trim()
    const isTime = name === 'from' || name === 'to'
    if (text !== '') query.set(name, isTime ? new Date(text).toISOString() : text)
  }
  return query.toString()
}

function LogPanel() {
  const [typed, setTyped] = useState(noFilter)
  const [applied, setApplied] = useState(noFilter)
  /** Behind which positions the parts begin that have been shown. */
  const [cursors, setCursors] = useState<readonly string[]>(['0'])
  const submit = (event: FormEvent) => {
    event.preventDefault()
    setApplied(typed)
    setCursors(['0'])
  }
  return (
    <Panel title="The log">
      <form onSubmit={submit}>
        <Stack direction="row" sx={{ flexWrap: 'wrap', gap: 1, mb: 2 }}>
          {fields.map(({ name, label, example, type = 'text' }) => (
            <TextField
              key={name}
              size="small"
              label={label}
              type={type}
              placeholder={example}
              value={typed[name]}
              onChange={event => setTyped({ ...typed, [name]: event.target.value })}
              slotProps={{ inputLabel: { shrink: true } }}
              sx={{ width: { xs: '100%', sm: 220 } }}
            />
          ))}
          <Button type="submit" variant="outlined" sx={{ alignSelf: 'center' }}>
            Show
          </Button>
        </Stack>
      </form>
      <Fetched<{ data: AuditEvent[]; nextCursor?: string }>
        path={`/audit/events?${queryOf(applied, cursors.at(-1) ?? '0')}`}
      >
        {({ data, nextCursor }) => (
          <>
            {data.length === 0 ? <Nothing>No such event.</Nothing> : <Events events={data} />}
            <Stack direction="row" sx={{ gap: 1, mt: 1 }}>
              <Button
                disabled={cursors.length === 1}
                onClick={() => setCursors(cursors.slice(0, -1))}
              >
                Back
              </Button>
              <Button
                disabled={nextCursor === undefined}
                onClick={() => setCursors([...cursors, nextCursor ?? '0'])}
              >
                Next
              </Button>
            </Stack>
          </>
        )}
      </Fetched>
    </Panel>
  )
}
