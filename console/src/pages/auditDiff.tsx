// What has changed of one thing between two moments, and by which events.
import { Button, MenuItem, Stack, TextField, Typography } from '@mui/material'
import { type FormEvent, useState } from 'react'
import type { StateDiff } from '../api/shapes.ts'
import { Events } from '../parts/auditEvents.tsx'
import { Fetched, Nothing, Panel } from '../parts/panel.tsx'
import { RowTable } from './importRows.tsx'

const kinds = ['orders', 'carts', 'products', 'stock', 'customers']

export function DiffPanel() {
  const [typed, setTyped] = useState({ kind: 'orders', id: '', from: '', to: '' })
  const [path, setPath] = useState<string>()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const { kind, id, from, to } = typed
    const query = new URLSearchParams({ ...(from && { from }), ...(to && { to }) })
    setPath(`/audit/${kind}/${encodeURIComponent(id.trim())}/diff?${query}`)
  }
  const field = (name: 'id' | 'from' | 'to', label: string, placeholder: string) => (
    <TextField
      size="small"
      label={label}
      placeholder={placeholder}
      required={name === 'id'}
      value={typed[name]}
      onChange={event => setTyped({ ...typed, [name]: event.target.value })}
      slotProps={{ inputLabel: { shrink: true } }}
      sx={{ width: { xs: '100%', sm: name === 'id' ? 340 : 240 } }}
    />
  )
  return (
    <Panel title="What has changed">
      <form onSubmit={submit}>
        <Stack direction="row" sx={{ flexWrap: 'wrap', gap: 1, mb: 2 }}>
          <TextField
            select
            size="small"
            label="Of"
            value={typed.kind}
            onChange={event => setTyped({ ...typed, kind: event.target.value })}
            sx={{ width: 140 }}
          >
            {kinds.map(kind => (
              <MenuItem key={kind} value={kind}>
                {kind}
              </MenuItem>
            ))}
          </TextField>
          {field('id', 'Id', '01980000-…')}
          {field('from', 'Since', 'revision or 2026-11-30T12:00:00Z')}
          {field('to', 'Up to', 'revision or time; now if empty')}
          <Button type="submit" variant="outlined" sx={{ alignSelf: 'center' }}>
            Compare
          </Button>
        </Stack>
      </form>
      {path !== undefined && (
        <Fetched<StateDiff> path={path}>{diff => <Difference diff={diff} />}</Fetched>
      )}
    </Panel>
  )
}

function Difference({ diff: { stream, differences, events } }: { diff: StateDiff }) {
  if (differences.length === 0 && events.length === 0) return <Nothing>Nothing changed.</Nothing>
  return (
    <Stack spacing={2}>
      <Typography>{stream}</Typography>
      <RowTable
        names={['Field', 'Before', 'After']}
        rows={differences.map(({ pointer, from, to }) => [pointer, textOf(from), textOf(to)])}
      />
      <Events events={events} />
    </Stack>
  )
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '–'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
