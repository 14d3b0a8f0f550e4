// Where a row of a list leads to: to the form for who may edit, to the page for who may look.
import { useCanAccess } from 'react-admin'

export function useRowClick(resource: string): 'edit' | 'show' {
  const { canAccess } = useCanAccess({ resource, action: 'edit' })
  return canAccess ? 'edit' : 'show'
}
