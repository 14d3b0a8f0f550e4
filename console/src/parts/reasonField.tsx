// Why something is done, in a person's own words.
import { TextField } from '@mui/material'

interface ReasonFieldProps {
  value: string
  change(value: string): void
  required?: boolean
  autoFocus?: boolean
}

export function ReasonField({ value, change, ...rest }: ReasonFieldProps) {
  return (
    <TextField
      label="Reason"
      {...rest}
      value={value}
      onChange={event => change(event.target.value)}
      slotProps={{ htmlInput: { maxLength: 500 } }}
    />
  )
}
