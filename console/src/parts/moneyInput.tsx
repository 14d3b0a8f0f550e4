// An input for an amount, typed with decimals, kept in minor units.
import { TextField } from '@mui/material'
import { useState } from 'react'
import { useInput } from 'react-admin'
import type { Money } from '../api/shapes.ts'
import { readMoney, typedMoney } from '../money.ts'

interface MoneyInputProps {
  source: string
  label: string
  currency: string
}

/** For a form whose record has an amount there. */
export function MoneyInput({ source, label, currency }: MoneyInputProps) {
  const [typed, setTyped] = useState<string>()
  const { field, fieldState, id } = useInput({
    source,
    validate: (value: Money | null | undefined) =>
      value === null || value === undefined ? `An amount of ${currency}, such as 12.50` : undefined,
  })
  const value: Money | null | undefined = field.value || undefined
  return (
    <TextField
      id={id}
      label={`${label} (${currency})`}
      value={typed ?? (value ? typedMoney(value) : '')}
      onChange={event => {
        setTyped(event.target.value)
        field.onChange(readMoney(event.target.value, currency) ?? null)
      }}
      onBlur={() => {
        if (value) setTyped(undefined)
        field.onBlur()
      }}
      error={fieldState.invalid}
      helperText={fieldState.error?.message ?? ' '}
      slotProps={{ htmlInput: { inputMode: 'decimal' } }}
      fullWidth
    />
  )
}
