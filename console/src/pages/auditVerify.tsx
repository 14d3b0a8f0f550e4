// Whether the log is as it was signed: looked at in parts, on a click.
import {
  Alert,
  Button,
  LinearProgress,
  List,
  ListItem,
  ListItemText,
  Typography,
} from '@mui/material'
import { useState } from 'react'
import { ask } from '../api/request.ts'
import type { Verification } from '../api/shapes.ts'
import { Panel } from '../parts/panel.tsx'

/** The verification, and how many events all of its parts have been about. */
interface Verified {
  last: Verification
  events: number
}

/** Part by part, until all of it is verified or something does not agree. */
async function verifyAll(show: (verified: Verified) => void): Promise<void> {
  let from: string | null = null
  let events = 0
  do {
    const query: string = from === null ? '' : `?from=${from}`
    const { body } = await ask<Verification>(`/audit/verify${query}`)
    events += body.events
    show({ last: body, events })
    from = body.ok ? body.next : null
  } while (from !== null)
}

export function VerifyPanel() {
  const [verified, setVerified] = useState<Verified>()
  const [fault, setFault] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const verify = async () => {
    setBusy(true)
    setFault(undefined)
    setVerified(undefined)
    try {
      await verifyAll(setVerified)
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error))
    } finally {
      setBusy(false)
    }
  }
  const button = (
    <Button variant="outlined" disabled={isBusy} onClick={verify}>
      Verify the log
    </Button>
  )
  return (
    <Panel title="Signatures" actions={button}>
      <Typography color="text.secondary">
        Computes the hash chain anew and compares it with the signed checkpoints.
      </Typography>
      {isBusy && <LinearProgress aria-label="Verifying" sx={{ mt: 1 }} />}
      {fault !== undefined && <Alert severity="error">{fault}</Alert>}
      {verified && <Outcome {...verified} isDone={!isBusy} />}
    </Panel>
  )
}

function Outcome({ last, events, isDone }: Verified & { isDone: boolean }) {
  const { ok, complete, firstBad, findings, findingsCount, unsignedEvents } = last
  const summary = `${events.toLocaleString()} events are as signed.`
  if (!ok) {
    return (
      <Alert severity="error" sx={{ mt: 1 }}>
        {firstBad && `Position ${firstBad.position}: ${firstBad.detail}`}
        {findingsCount > 0 && (
          <List dense aria-label="Findings">
            {findings.map(({ check, key, detail }) => (
              <ListItem key={`${check} ${key}`}>
                <ListItemText
                  primary={`${key}: ${detail}`}
                  secondary={`Does not hold: ${check}.`}
                  sx={{ overflowWrap: 'anywhere' }}
                />
              </ListItem>
            ))}
          </List>
        )}
      </Alert>
    )
  }
  if (!isDone) return <Typography sx={{ mt: 1 }}>{summary}</Typography>
  const unsigned = (unsignedEvents ?? 0).toLocaleString()
  return (
    <Alert severity={complete ? 'success' : 'info'} sx={{ mt: 1 }}>
      {complete ? summary : `${summary} ${unsigned} behind them are not signed yet.`}
    </Alert>
  )
}
