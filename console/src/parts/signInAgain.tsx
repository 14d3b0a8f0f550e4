// The dialog that continues a session that has ended, over the page where somebody was working.
import {
  Alert,
  Button,
  Dialog,
  DialogActions,
  DialogContent,
  DialogTitle,
  Stack,
  TextField,
} from '@mui/material'
import { type FormEvent, useState, useSyncExternalStore } from 'react'
import { useLogout } from 'react-admin'
import { endedUser, signIn } from '../api/session.ts'
import { onQuestionChange, putOffSignIn, questionNow, signedInAgain } from '../api/signInAgain.ts'

/** Shown by the layout of all pages; nothing as long as the session is good. */
export function SignInAgain() {
  const question = useSyncExternalStore(onQuestionChange, questionNow)
  const user = endedUser()
  if (user === undefined) return null
  if (question === 'asked') return <SignInDialog key={user.id} username={user.username} />
  if (question === 'none') return null
  return (
    <Alert
      severity="warning"
      action={<Button onClick={() => signedInAgain(true)}>Sign in</Button>}
      sx={{ mt: 1 }}
    >
      Your session has ended. What you entered is still here; it is saved once you sign in.
    </Alert>
  )
}

function SignInDialog({ username }: { username: string }) {
  const [password, setPassword] = useState('')
  const [fault, setFault] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const logout = useLogout()
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    event.stopPropagation()
    setBusy(true)
    setFault(undefined)
    try {
      await signIn(username, password)
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error))
      setBusy(false)
    }
  }
  return (
    <Dialog open onClose={putOffSignIn} aria-labelledby="sign-in-again" fullWidth maxWidth="xs">
      <form onSubmit={submit}>
        <DialogTitle id="sign-in-again">Sign in again</DialogTitle>
        <DialogContent>
          <Stack spacing={2} sx={{ pt: 1 }}>
            <div>
              Your session has ended. What you entered is still here, and is sent as soon as you
              have signed in.
            </div>
            <TextField
              label="Username"
              value={username}
              autoComplete="username"
              slotProps={{ htmlInput: { readOnly: true } }}
            />
            <TextField
              label="Password"
              type="password"
              required
              autoFocus
              autoComplete="current-password"
              value={password}
              onChange={event => setPassword(event.target.value)}
            />
            {fault !== undefined && <Alert severity="error">{fault}</Alert>}
          </Stack>
        </DialogContent>
        <DialogActions>
          <Button color="inherit" onClick={() => logout()}>
            Sign in as somebody else
          </Button>
          <Button onClick={putOffSignIn}>Not now</Button>
          <Button type="submit" variant="contained" disabled={isBusy}>
            Sign in
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  )
}
