// The read models: how far they are, who keeps them up, what was put aside, and building them anew.
import {
  Chip,
  Table,
  TableBody,
  TableCell,
  TableContainer,
  TableHead,
  TableRow,
} from '@mui/material'
import type { Projection } from '../api/shapes.ts'
import { Fetched, Page, Panel } from '../parts/panel.tsx'
import { ParkedButton } from './parked.tsx'
import { RebuildCell } from './rebuild.tsx'

const refreshMs = 2_000

export function ProjectionsPage() {
  return (
    <Page title="Read models">
      <Panel title="Read models">
        <Fetched<{ data: Projection[] }> path="/admin/projections" everyMs={refreshMs}>
          {({ data }) => <States states={data} />}
        </Fetched>
      </Panel>
    </Page>
  )
}

function States({ states }: { states: readonly Projection[] }) {
  return (
    <TableContainer tabIndex={0} role="region" aria-label="Read models">
      <Table size="small">
        <TableHead>
          <TableRow>
            <TableCell>Name</TableCell>
            <TableCell>State</TableCell>
            <TableCell sx={{ minWidth: 160 }}>Rebuild</TableCell>
            <TableCell align="right">Position</TableCell>
            <TableCell align="right">Behind</TableCell>
            <TableCell align="right">Put aside</TableCell>
            <TableCell>Runner</TableCell>
          </TableRow>
        </TableHead>
        <TableBody>
          {states.map(state => (
            <TableRow key={state.name}>
              <TableCell component="th">
                {state.name}{' '}
                <small>{state.version === null ? 'reaction' : `v${state.version}`}</small>
              </TableCell>
              <TableCell>
                <State of={state} />
              </TableCell>
              <TableCell>
                <RebuildCell of={state} />
              </TableCell>
              <TableCell align="right">{count(state.position)}</TableCell>
              <TableCell align="right">{lagText(state)}</TableCell>
              <TableCell align="right">
                <ParkedButton name={state.name} count={state.parked} />
              </TableCell>
              <TableCell>{state.runner ?? '–'}</TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </TableContainer>
  )
}

function lagText({ lag: { seconds, events } }: Projection): string {
  const time = `${Math.round(seconds).toLocaleString()} s`
  return events === undefined ? time : `${time}, ${events.toLocaleString()} events`
}

function count(digits: string): string {
  return BigInt(digits).toLocaleString()
}

function State({ of: { position, head, runner, parked } }: { of: Projection }) {
  if (parked > 0) return <Chip size="small" color="error" label="events put aside" />
  if (runner === null) return <Chip size="small" color="warning" label="nobody runs it" />
  if (BigInt(position) < BigInt(head)) return <Chip size="small" color="info" label="catching up" />
  return <Chip size="small" color="success" variant="outlined" label="up to date" />
}
