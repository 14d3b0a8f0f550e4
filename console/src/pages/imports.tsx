// Bulk imports of products: uploaded, followed live, stopped, undone, with their faults by line.
import { Alert, Button, LinearProgress, Stack, Typography, useMediaQuery } from '@mui/material'
import type { Theme } from '@mui/material/styles'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { DataTable, SimpleList, TopToolbar, useRecordContext } from 'react-admin'
import { readEvents } from '../api/eventStream.ts'
import { ask } from '../api/request.ts'
import type { ProductImport } from '../api/shapes.ts'
import { AskDialog } from '../parts/ask.tsx'
import { Nothing, Page, Panel } from '../parts/panel.tsx'
import { RecordList, RecordTable } from '../parts/recordList.tsx'
import { RecordShow } from '../parts/recordShow.tsx'
import { StatusChip, timeText } from '../parts/status.tsx'
import { RowTable } from './importRows.tsx'
import { UploadButton } from './importUpload.tsx'

const underWay = ['queued', 'running', 'cancelling', 'undoing']

function countsOf({ created, changed, unchanged, refused }: ProductImport): string {
  return `${created} new, ${changed} changed, ${unchanged} as before, ${refused} refused`
}

function Empty() {
  return (
    <Stack spacing={2} sx={{ p: 4, alignItems: 'flex-start' }}>
      <Typography variant="h5" component="h2">
        No import yet
      </Typography>
      <Typography>
        Upload a CSV with a header of some of: sku, name, description, price (such as 12.50),
        currency, category, stock, featured, active; or NDJSON, one object a line.
      </Typography>
      <UploadButton />
    </Stack>
  )
}

export function ImportList() {
  const isSmall = useMediaQuery<Theme>(theme => theme.breakpoints.down('md'))
  return (
    <RecordList
      sort={{ field: '', order: 'DESC' }}
      empty={<Empty />}
      actions={
        <TopToolbar>
          <UploadButton />
        </TopToolbar>
      }
    >
      {isSmall ? (
        <SimpleList<ProductImport>
          rowClick="show"
          primaryText={each => timeText(each.requestedAt)}
          secondaryText={countsOf}
          tertiaryText={each => <StatusChip status={each.status} />}
        />
      ) : (
        <RecordTable<ProductImport>
          opens="show"
          heading="Uploaded"
          name={each => timeText(each.requestedAt)}
        >
          <DataTable.Col
            source="status"
            disableSort
            render={(each: ProductImport) => <StatusChip status={each.status} />}
          />
          <DataTable.Col
            source="dryRun"
            label="Kind"
            disableSort
            render={(each: ProductImport) => (each.dryRun ? 'dry run' : 'import')}
          />
          <DataTable.NumberCol source="rows" disableSort />
          <DataTable.Col source="created" label="Result" disableSort render={countsOf} />
        </RecordTable>
      )}
    </RecordList>
  )
}

export function ImportShow() {
  return (
    <RecordShow title="Import">
      <ImportPage />
    </RecordShow>
  )
}

/** How far it is, live from the API's event stream as long as it is under way. */
function useProgress(shown: ProductImport): ProductImport {
  const [live, setLive] = useState<ProductImport>()
  const queries = useQueryClient()
  const isUnderWay = underWay.includes(shown.status)
  useEffect(() => {
    if (!isUnderWay) return
    const leaving = new AbortController()
    const { signal } = leaving
    const path = `/products/imports/${shown.id}`
    const onMessage = (_: string, data: unknown) =>
      setLive(previous => merged(previous ?? shown, data))
    readEvents(path, onMessage, { signal })
      .catch(() => undefined)
      .then(() => {
        if (signal.aborted) return
        setLive(undefined)
        queries.invalidateQueries({ queryKey: ['imports'] })
      })
    return () => leaving.abort()
  }, [isUnderWay, shown, queries])
  return isUnderWay && live?.id === shown.id ? live : shown
}

function merged(shown: ProductImport, data: unknown): ProductImport {
  return typeof data === 'object' ? { ...shown, ...data } : shown
}

function ImportPage() {
  const record = useRecordContext<ProductImport>()
  return record === undefined ? null : <Progress shown={record} />
}

function Progress({ shown }: { shown: ProductImport }) {
  const now = useProgress(shown)
  const percent = Math.round(now.progress * 100)
  const isUnderWay = underWay.includes(now.status)
  return (
    <Page>
      <Panel title={now.dryRun ? 'Dry run' : 'Import'} actions={<Steps now={now} />}>
        <Stack direction="row" spacing={2} sx={{ alignItems: 'center', mb: 1 }}>
          <StatusChip status={now.status} />
          <Typography>{timeText(now.requestedAt)}</Typography>
        </Stack>
        {isUnderWay && (
          <LinearProgress variant="determinate" value={percent} aria-label="Progress" />
        )}
        <Typography sx={{ my: 1 }}>
          {now.rows === null ? `${percent} %` : `${now.rows} rows`}: {countsOf(now)}
        </Typography>
        {now.problem !== null && <Alert severity="error">{now.problem}</Alert>}
        {now.status === 'undone' && (
          <Alert severity="info">
            {now.undone} products are as before; {now.kept} were changed since and stay.
          </Alert>
        )}
      </Panel>
      <Faults of={now} />
      {(now.keptRows ?? []).length > 0 && (
        <Panel title="Not undone">
          <RowTable
            names={['Line', 'SKU', 'Why']}
            rows={(now.keptRows ?? []).map(row => [row.line, row.sku, row.why])}
          />
        </Panel>
      )}
    </Page>
  )
}

function Faults({ of: { errors = [], errorCount } }: { of: ProductImport }) {
  return (
    <Panel title="Faults by line">
      {errors.length === 0 ? (
        <Nothing>No line was refused.</Nothing>
      ) : (
        <>
          {errorCount > errors.length && (
            <Typography variant="body2">
              The first {errors.length} of {errorCount}:
            </Typography>
          )}
          <RowTable
            names={['Line', 'Field', 'What is wrong']}
            rows={errors.map(fault => [fault.line, fault.pointer, fault.detail])}
          />
        </>
      )}
    </Panel>
  )
}

function Steps({ now }: { now: ProductImport }) {
  const [open, setOpen] = useState<'cancel' | 'undo'>()
  const path = `/products/imports/${now.id}`
  const close = () => setOpen(undefined)
  const mayUndo = !now.dryRun && ['finished', 'cancelled', 'failed'].includes(now.status)
  return (
    <>
      {['queued', 'running'].includes(now.status) && (
        <Button onClick={() => setOpen('cancel')}>Stop</Button>
      )}
      {mayUndo && now.created + now.changed > 0 && (
        <Button variant="outlined" onClick={() => setOpen('undo')}>
          Undo
        </Button>
      )}
      {open === 'cancel' && (
        <AskDialog
          title="Stop this import?"
          verb="Stop"
          done="The import stops"
          send={key => ask(path, { method: 'DELETE', key })}
          close={close}
        >
          <div>What is done already stays.</div>
        </AskDialog>
      )}
      {open === 'undo' && (
        <AskDialog
          title="Undo this import?"
          verb="Undo"
          done="The import is being undone"
          danger
          send={key => ask(`${path}/undo`, { method: 'POST', key })}
          close={close}
        >
          <div>What nobody has changed since becomes what it was before.</div>
        </AskDialog>
      )}
    </>
  )
}
