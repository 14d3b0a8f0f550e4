// A table of events of the audit log.
import {
  Table,
  TableBody,
  TableCell,
  TableContainer,
  TableHead,
  TableRow,
  Typography,
} from '@mui/material'
import type { AuditEvent } from '../api/shapes.ts'
import { timeText } from './status.tsx'

export function Events({ events }: { events: readonly AuditEvent[] }) {
  return (
    <TableContainer tabIndex={0} role="region" aria-label="Events" sx={{ maxHeight: 600 }}>
      <Table size="small" stickyHeader>
        <TableHead>
          <TableRow>
            <TableCell align="right">Position</TableCell>
            <TableCell>When</TableCell>
            <TableCell>Event</TableCell>
            <TableCell>Stream</TableCell>
            <TableCell>Actor</TableCell>
            <TableCell>What</TableCell>
          </TableRow>
        </TableHead>
        <TableBody>
          {events.map(event => (
            <TableRow key={event.position} sx={{ verticalAlign: 'top' }}>
              <TableCell align="right">{event.position}</TableCell>
              <TableCell sx={{ whiteSpace: 'nowrap' }}>
                {timeText(event.at ?? event.recordedAt)}
              </TableCell>
              <TableCell component="th">{event.type}</TableCell>
              <TableCell>{`${event.stream} @${event.revision}`}</TableCell>
              <TableCell>{actorText(event)}</TableCell>
              <TableCell>
                <Typography variant="body2" component="pre" sx={dataStyle}>
                  {event.readable ? JSON.stringify(event.data, null, 1) : 'cannot be read'}
                </Typography>
              </TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </TableContainer>
  )
}

function actorText({ actor }: AuditEvent): string {
  return actor === null ? '–' : [actor.role, actor.id].filter(Boolean).join(' ')
}

const dataStyle = {
  m: 0,
  maxHeight: 120,
  overflow: 'auto',
  whiteSpace: 'pre-wrap',
  minWidth: 240,
}
