// The way to start a bulk import: a file, and whether it is only to be tried.
import { Button, Checkbox, FormControlLabel } from '@mui/material'
import { useRef, useState } from 'react'
import { useRedirect } from 'react-admin'
import { ask } from '../api/request.ts'
import { AskDialog } from '../parts/ask.tsx'

export function UploadButton() {
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <Button variant="contained" onClick={() => setOpen(true)}>
        Upload products
      </Button>
      {isOpen && <UploadDialog close={() => setOpen(false)} />}
    </>
  )
}

function UploadDialog({ close }: { close(): void }) {
  const file = useRef<File>(undefined)
  const [dryRun, setDryRun] = useState(false)
  const redirect = useRedirect()
  const send = async (key: string) => {
    if (file.current === undefined) throw new Error('Choose a file first.')
    const isJson = /\.(ndjson|jsonl)$/i.test(file.current.name)
    const { body } = await ask<{ id: string }>(`/products/imports?dryRun=${dryRun}`, {
      method: 'POST',
      key,
      body: file.current,
      headers: { 'content-type': isJson ? 'application/x-ndjson' : 'text/csv' },
    })
    redirect('show', 'imports', body.id)
  }
  return (
    <AskDialog
      title="Upload products"
      verb="Upload"
      done="The file is there; the import begins"
      send={send}
      close={close}
    >
      <div>
        CSV with a header of some of sku, name, description, price, currency, category, stock,
        featured, active; or NDJSON with the same fields.
      </div>
      <input
        type="file"
        aria-label="File"
        accept=".csv,.ndjson,.jsonl,text/csv,application/x-ndjson"
        required
        onChange={({ target }) => {
          file.current = target.files?.[0]
        }}
      />
      <FormControlLabel
        control={<Checkbox checked={dryRun} onChange={({ target }) => setDryRun(target.checked)} />}
        label="Dry run: only show what would happen"
      />
    </AskDialog>
  )
}
