// Images as answers show them: addresses instead of hashes.
import type { Rendition, ShownImage } from '../../domain/catalogue/image.ts'

/** An image with the addresses of all its sizes. */
export function publicImage({ imageId, hash, width, height, alt }: ShownImage) {
  const url = (rendition: Rendition) => `/api/images/${hash}/${rendition}`
  return {
    id: imageId,
    url: url('full'),
    variants: { small: url('small'), medium: url('medium'), large: url('large') },
    width,
    height,
    alt,
  }
}
