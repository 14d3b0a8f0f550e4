// A plain table of texts that scrolls by itself.
import { Table, TableBody, TableCell, TableContainer, TableHead, TableRow } from '@mui/material'

interface RowTableProps {
  names: readonly string[]
  rows: readonly (readonly (string | number)[])[]
}

export function RowTable({ names, rows }: RowTableProps) {
  return (
    <TableContainer
      sx={{ maxHeight: 400 }}
      tabIndex={0}
      role="region"
      aria-label={names.join(', ')}
    >
      <Table size="small" stickyHeader>
        <TableHead>
          <TableRow>
            {names.map(name => (
              <TableCell key={name}>{name}</TableCell>
            ))}
          </TableRow>
        </TableHead>
        <TableBody>
          {rows.map(row => (
            <TableRow key={row.join('\n')}>
              {names.map((name, column) => (
                <TableCell key={name}>{row[column]}</TableCell>
              ))}
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </TableContainer>
  )
}
