// Questions for a command: a dialog that sends it once, and says what the shop answers.
import {
  Alert,
  Button,
  Dialog,
  DialogActions,
  DialogContent,
  DialogTitle,
  LinearProgress,
  Stack,
} from '@mui/material'
import { type FormEvent, type ReactNode, useId, useRef, useState } from 'react'
import { useNotify, useRefresh } from 'react-admin'
import { isRefusal, newKey } from '../api/request.ts'

export interface Question {
  title: string
  /** What the button says that sends it. */
  verb: string
  /** What is said once it is done, unless `send` gives another text. */
  done: string
  /** What has to be filled in. */
  children?: ReactNode
  danger?: boolean
  /** Sends the command with this key; what it throws is shown, and a text that it gives is said. */
  send(key: string): Promise<unknown>
  close(): void
}

/**
 * A dialog for one command. Sent again when no answer came it has the same key, so that nothing
 * happens twice; changed, or refused, it is another command with another key.
 */
export function AskDialog({ title, verb, done, children, danger, send, close }: Question) {
  const [fault, setFault] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const key = useRef(newKey())
  const notify = useNotify()
  const refresh = useRefresh()
  const titleId = useId()
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    // Events go through portals: a form around the button that asks must not be sent, too.
    event.stopPropagation()
    setBusy(true)
    setFault(undefined)
    try {
      const result = await send(key.current)
      notify(typeof result === 'string' ? result : done, { type: 'success' })
      close()
      refresh()
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error))
      if (isRefusal(error)) key.current = newKey()
    } finally {
      setBusy(false)
    }
  }
  const onChange = () => {
    key.current = newKey()
  }
  return (
    <Dialog
      open
      // The second click of a double click lands outside of the dialog.
      onClose={(_, reason) => reason !== 'backdropClick' && close()}
      aria-labelledby={titleId}
      fullWidth
      maxWidth="xs"
    >
      <form onSubmit={submit} onChange={onChange}>
        <DialogTitle id={titleId}>{title}</DialogTitle>
        {isBusy && <LinearProgress />}
        <DialogContent>
          <Stack spacing={2} sx={{ pt: 1 }}>
            {children}
            {fault !== undefined && <Alert severity="error">{fault}</Alert>}
          </Stack>
        </DialogContent>
        <DialogActions>
          <Button onClick={close}>Not now</Button>
          <Button
            type="submit"
            variant="contained"
            color={danger ? 'error' : 'primary'}
            disabled={isBusy}
          >
            {verb}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  )
}
