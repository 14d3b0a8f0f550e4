// The search field of a list, with a name that screen readers say: a placeholder is none.
import { SearchInput } from 'react-admin'

interface ListSearchProps {
  placeholder: string
  minWidth?: number
}

/** The filter `search`; what it looks in is its placeholder and its name. */
export function listSearch({ placeholder, minWidth }: ListSearchProps) {
  return (
    <SearchInput
      key="search"
      source="search"
      alwaysOn
      placeholder={placeholder}
      slotProps={{ htmlInput: { 'aria-label': `Search: ${placeholder}` } }}
      {...(minWidth === undefined ? {} : { sx: { minWidth: { sm: minWidth } } })}
    />
  )
}
