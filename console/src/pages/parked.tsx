// Events that a read model could not handle: looked at, tried again, or left out with a reason.
import {
  Button,
  Dialog,
  DialogContent,
  DialogTitle,
  List,
  ListItem,
  ListItemText,
  TextField,
} from '@mui/material'
import { useState } from 'react'
import { useCanAccess } from 'react-admin'
import { ask } from '../api/request.ts'
import { AskDialog } from '../parts/ask.tsx'
import { Fetched, Nothing } from '../parts/panel.tsx'
import { timeText } from '../parts/status.tsx'

interface ParkedEvent {
  position: string
  stream: string
  type: string
  error: string
  parkedAt: string
}

interface Chosen {
  event: ParkedEvent
  what: 'retry' | 'skip'
}

export function ParkedButton({ name, count }: { name: string; count: number }) {
  const [isOpen, setOpen] = useState(false)
  if (count === 0 && !isOpen) return <>0</>
  return (
    <>
      <Button size="small" color="error" onClick={() => setOpen(true)}>
        {count.toLocaleString()}
      </Button>
      {isOpen && <ParkedDialog name={name} close={() => setOpen(false)} />}
    </>
  )
}

function ParkedDialog({ name, close }: { name: string; close(): void }) {
  const [chosen, setChosen] = useState<Chosen>()
  const path = `/admin/projections/${name}/parked`
  return (
    <Dialog open onClose={close} fullWidth maxWidth="md" aria-labelledby="parked">
      <DialogTitle id="parked">Put aside by {name}</DialogTitle>
      <DialogContent>
        <Fetched<{ data: ParkedEvent[] }> path={`${path}?limit=100`}>
          {({ data }) =>
            data.length === 0 ? (
              <Nothing>Nothing is put aside any more.</Nothing>
            ) : (
              <Events events={data} choose={setChosen} />
            )
          }
        </Fetched>
        {chosen && <Decision {...{ path, chosen }} close={() => setChosen(undefined)} />}
      </DialogContent>
    </Dialog>
  )
}

interface EventsProps {
  events: readonly ParkedEvent[]
  choose(chosen: Chosen): void
}

function Events({ events, choose }: EventsProps) {
  const { canAccess } = useCanAccess({ resource: 'projections', action: 'rebuild' })
  return (
    <List dense>
      {events.map(event => (
        <ListItem key={event.position} sx={{ flexWrap: 'wrap' }}>
          <ListItemText
            primary={`${event.type} at ${event.position} of ${event.stream}`}
            secondary={`${timeText(event.parkedAt)}: ${event.error}`}
            sx={{ overflowWrap: 'anywhere' }}
          />
          {canAccess && (
            <>
              <Button onClick={() => choose({ event, what: 'retry' })}>Try again</Button>
              <Button color="error" onClick={() => choose({ event, what: 'skip' })}>
                Leave out
              </Button>
            </>
          )}
        </ListItem>
      ))}
    </List>
  )
}

function Decision({ path, chosen, close }: { path: string; chosen: Chosen; close(): void }) {
  const { event, what } = chosen
  const [reason, setReason] = useState('')
  const isSkip = what === 'skip'
  const send = (key: string) =>
    ask(`${path}/${event.position}/${what}`, {
      method: 'POST',
      key,
      body: reason === '' ? {} : { reason },
    })
  return (
    <AskDialog
      title={isSkip ? 'Leave this event out for good?' : 'Try this event again?'}
      verb={isSkip ? 'Leave out' : 'Try again'}
      done={isSkip ? 'The event is left out' : 'The event was tried again'}
      danger={isSkip}
      send={send}
      close={close}
    >
      <TextField
        label="Reason, which is recorded"
        required={isSkip}
        autoFocus
        value={reason}
        onChange={({ target }) => setReason(target.value)}
        slotProps={{ htmlInput: { maxLength: 500 } }}
      />
    </AskDialog>
  )
}
