// The images of a product: shown, added, taken away.

import Delete from '@mui/icons-material/Delete'
import { Alert, Button, IconButton, ImageList, ImageListItem, LinearProgress } from '@mui/material'
import { type ChangeEvent, useState } from 'react'
import { Confirm, useNotify, useRefresh } from 'react-admin'
import { ask, newKey } from '../api/request.ts'
import type { Product } from '../api/shapes.ts'
import { Nothing, Panel } from '../parts/panel.tsx'

export function ImagePanel({ product }: { product: Product }) {
  const { isBusy, fault, add, remove } = useImages(product.id)
  const [leaving, setLeaving] = useState<string>()
  const choose = (
    <Button component="label" variant="outlined" disabled={isBusy} sx={{ position: 'relative' }}>
      Add image
      <input
        type="file"
        accept="image/png,image/jpeg,image/webp,image/avif"
        aria-label="Add image"
        onChange={add}
        style={{ position: 'absolute', inset: 0, opacity: 0, cursor: 'pointer' }}
      />
    </Button>
  )
  return (
    <Panel title="Images" actions={choose}>
      {isBusy && <LinearProgress aria-label="Uploading" />}
      {fault !== undefined && <Alert severity="error">{fault}</Alert>}
      {product.images.length === 0 && <Nothing>No image yet: PNG, JPEG, WebP or AVIF.</Nothing>}
      <ImageList cols={3} rowHeight={120}>
        {product.images.map(image => (
          <ImageListItem key={image.id}>
            <img src={image.variants.small} alt={image.alt} loading="lazy" />
            <IconButton
              aria-label={`Take ${image.alt || 'this image'} away`}
              onClick={() => setLeaving(image.id)}
              sx={{ position: 'absolute', right: 4, top: 4, bgcolor: 'background.paper' }}
            >
              <Delete />
            </IconButton>
          </ImageListItem>
        ))}
      </ImageList>
      <Confirm
        isOpen={leaving !== undefined}
        loading={isBusy}
        title="Take this image away?"
        content="The product is shown without it from now on."
        onConfirm={async () => {
          if (leaving !== undefined) await remove(leaving)
          setLeaving(undefined)
        }}
        onClose={() => setLeaving(undefined)}
      />
    </Panel>
  )
}

function useImages(productId: string) {
  const [isBusy, setBusy] = useState(false)
  const [fault, setFault] = useState<string>()
  const notify = useNotify()
  const refresh = useRefresh()
  const carryOut = async (work: Promise<unknown>, done: string) => {
    setBusy(true)
    setFault(undefined)
    try {
      await work
      notify(done, { type: 'success' })
      refresh()
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error))
    } finally {
      setBusy(false)
    }
  }
  const path = `/products/${productId}/images`
  return {
    isBusy,
    fault,
    async add({ target }: ChangeEvent<HTMLInputElement>) {
      const [file] = target.files ?? []
      if (file === undefined) return
      const body = new FormData()
      body.set('alt', file.name.replace(/\.\w+$/, ''))
      body.set('file', file)
      await carryOut(ask(path, { method: 'POST', key: newKey(), body }), 'The image is added')
      target.value = ''
    },
    remove: (id: string) =>
      carryOut(ask(`${path}/${id}`, { method: 'DELETE', key: newKey() }), 'The image is gone'),
  }
}
