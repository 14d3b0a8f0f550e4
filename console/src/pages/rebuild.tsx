// Rebuilds of a read model: the button and the progress.
import {
  Alert,
  Box,
  Button,
  Checkbox,
  FormControlLabel,
  LinearProgress,
  Typography,
} from '@mui/material'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useCanAccess } from 'react-admin'
import { readEvents } from '../api/eventStream.ts'
import { ask } from '../api/request.ts'
import type { Projection, Rebuild } from '../api/shapes.ts'
import { AskDialog } from '../parts/ask.tsx'
import { timeText } from '../parts/status.tsx'

const underWay = ['requested', 'running']

/** Follows a rebuild by its event stream as long as it is under way. */
function useRebuild({ name, rebuild: last }: Projection) {
  const path = `/admin/projections/${name}/rebuild`
  const [live, setLive] = useState<Rebuild>()
  const queries = useQueryClient()
  const isUnderWay = last !== null && underWay.includes(last.state)
  useEffect(() => {
    if (!isUnderWay) return
    const leaving = new AbortController()
    const onMessage = (_: string, state: unknown) => {
      if (isRebuild(state)) setLive(state)
    }
    readEvents(path, onMessage, { signal: leaving.signal })
      .catch(() => undefined)
      .then(() => {
        if (leaving.signal.aborted) return
        setLive(undefined)
        queries.invalidateQueries({ queryKey: ['parts'] })
      })
    return () => leaving.abort()
  }, [isUnderWay, path, queries])
  return { now: isUnderWay ? (live ?? last) : last, isUnderWay }
}

function isRebuild(value: unknown): value is Rebuild {
  return typeof value === 'object' && value !== null && 'progress' in value
}

export function RebuildCell({ of }: { of: Projection }) {
  const { name, rebuildable } = of
  const { now, isUnderWay } = useRebuild(of)
  const [isOpen, setOpen] = useState(false)
  const { canAccess } = useCanAccess({ resource: 'projections', action: 'rebuild' })
  if (!rebuildable) return null
  if (isUnderWay && now) return <Progress of={now} />
  return (
    <>
      {canAccess && (
        <Button size="small" onClick={() => setOpen(true)} aria-label={`Rebuild ${name}`}>
          Rebuild
        </Button>
      )}
      {now && (
        <Typography variant="caption" component="div" color={now.error ? 'error' : 'textSecondary'}>
          {outcomeOf(now)}
        </Typography>
      )}
      {isOpen && <RebuildDialog of={of} close={() => setOpen(false)} />}
    </>
  )
}

function RebuildDialog({ of: { name, rebuild }, close }: { of: Projection; close: () => void }) {
  const queries = useQueryClient()
  const [isAccepted, setAccepted] = useState(false)
  const broken = rebuild?.brokenStreams
  return (
    <AskDialog
      title={`Build ${name} anew?`}
      verb="Rebuild"
      done={`${name} is being built anew`}
      send={async key => {
        const body = isAccepted ? { acceptBrokenStreams: true } : {}
        await ask(`/admin/projections/${name}/rebuild`, { method: 'POST', key, body })
        await queries.invalidateQueries({ queryKey: ['parts'] })
      }}
      close={close}
    >
      <div>From the whole log, while the current one keeps serving.</div>
      {broken && (
        <>
          <Alert severity="warning">
            {broken.count === 1 ? '1 stream lacks' : `${broken.count} streams lack`} events:{' '}
            {broken.first.map(({ stream, fault }) => `${stream} (${fault})`).join('; ')}
          </Alert>
          <FormControlLabel
            control={
              <Checkbox checked={isAccepted} onChange={(_, isChecked) => setAccepted(isChecked)} />
            }
            label="Accept that these events are missing from the new tables"
          />
        </>
      )}
    </AskDialog>
  )
}

function Progress({ of: { name, progress, state } }: { of: Rebuild }) {
  const percent = Math.round(progress * 100)
  return (
    <Box sx={{ minWidth: 120 }}>
      <LinearProgress
        variant={state === 'requested' ? 'indeterminate' : 'determinate'}
        value={percent}
        aria-label={`Rebuild of ${name}`}
      />
      <Typography variant="caption">
        {state === 'requested' ? 'waiting for a worker' : `${percent} %`}
      </Typography>
    </Box>
  )
}

const rowWords = {
  extra: 'was there before only',
  missing: 'is there now only',
  different: 'is another now',
}

function outcomeOf(rebuild: Rebuild): string {
  const { state, error, matches, differences, brokenStreams, updatedAt } = rebuild
  if (state === 'failed') return `Failed: ${error ?? 'unknown'}`
  const compared =
    matches === null ? '' : matches ? ', equal to the old one' : ', not as the old one'
  const rows = (differences ?? []).flatMap(({ table, first }) =>
    first.map(({ kind, key }) => `${table} ${key} ${rowWords[kind]}`),
  )
  const broken = (brokenStreams?.first ?? []).map(({ stream }) => `${stream} lacks events`)
  return [`Rebuilt ${timeText(updatedAt)}${compared}`, ...rows, ...broken].join('; ')
}
