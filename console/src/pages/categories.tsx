// Categories: listed, made, changed with a check for somebody else's changes, deleted when empty.
import { useMediaQuery } from '@mui/material'
import type { Theme } from '@mui/material/styles'
import {
  BooleanField,
  BooleanInput,
  Create,
  DataTable,
  Edit,
  List,
  required,
  SearchInput,
  SimpleForm,
  SimpleList,
  TextInput,
  useCanAccess,
} from 'react-admin'
import type { Category } from '../api/shapes.ts'
import { useConflicts } from '../parts/conflict.tsx'
import { WhenRead } from '../parts/whenRead.tsx'

const filters = [<SearchInput key="search" source="search" alwaysOn />]

export function CategoryList() {
  const isSmall = useMediaQuery<Theme>(theme => theme.breakpoints.down('md'))
  const canEdit = useCanAccess({ resource: 'categories', action: 'edit' }).canAccess
  return (
    <List filters={filters} sort={{ field: 'name', order: 'ASC' }} perPage={25} exporter={false}>
      {isSmall ? (
        <SimpleList<Category>
          rowClick={canEdit ? 'edit' : false}
          primaryText={category => category.name}
          secondaryText={category => category.description}
          tertiaryText={category => (category.active ? '' : 'not active')}
        />
      ) : (
        <DataTable bulkActionButtons={false} rowClick={canEdit ? 'edit' : false}>
          <DataTable.Col source="name" />
          <DataTable.Col source="description" />
          <DataTable.Col source="active">
            <BooleanField source="active" />
          </DataTable.Col>
        </DataTable>
      )}
    </List>
  )
}

function Details() {
  return (
    <>
      <TextInput
        source="name"
        validate={required()}
        slotProps={{ htmlInput: { maxLength: 200 } }}
      />
      <TextInput source="description" multiline minRows={2} parse={text => text ?? ''} />
      <BooleanInput source="active" />
    </>
  )
}

export function CategoryCreate() {
  return (
    <Create redirect="list" title="New category">
      <SimpleForm defaultValues={{ active: true, description: '' }}>
        <Details />
      </SimpleForm>
    </Create>
  )
}

export function CategoryEdit() {
  const { mutationOptions, dialog } = useConflicts('categories')
  return (
    <Edit mutationMode="pessimistic" redirect={false} mutationOptions={mutationOptions}>
      <WhenRead>
        <SimpleForm>
          <Details />
        </SimpleForm>
      </WhenRead>
      {dialog}
    </Edit>
  )
}
