// The one place that knows the image library: what a file is, and its copies to be shown.

import type { Image } from '../../domain/catalogue/image.ts'
import type { Imaging } from '../../ports/images.ts'

/** A small file can unfold to gigabytes; no camera of a shop takes more than this. */
const pixelsMax = 50_000_000
const renderSecondsMax = 20
const quality = 82

const formats: Record<string, Image['type']> = {
  png: 'image/png',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  heif: 'image/avif',
}

/** Reads images by their content; what a name or a header says of them does not count. */
export function createImaging(): Imaging {
  return {
    async inspect(file) {
      const type = signatureOf(Buffer.from(file.buffer, file.byteOffset, file.byteLength))
      // Other formats are not even tried: each decoder is a door.
      if (type === undefined) return undefined
      try {
        const { format, autoOrient } = await (await open(file)).metadata()
        if (formats[format] !== type) return undefined
        return { type, width: autoOrient.width, height: autoOrient.height }
      } catch {
        return undefined
      }
    },
    async render(file, longerSide) {
      const image = await open(file)
      return image
        .autoOrient()
        .resize(longerSide, longerSide, { fit: 'inside', withoutEnlargement: true })
        .webp({ quality })
        .timeout({ seconds: renderSecondsMax })
        .toBuffer()
    },
  }
}

/** The library takes 20 MB, in each process that has seen an image. */
async function open(file: Uint8Array) {
  const { default: sharp } = await import('sharp')
  return sharp(file, { limitInputPixels: pixelsMax, failOn: 'error', pages: 1 })
}

/** The format that the first bytes of a file are of. */
function signatureOf(file: Buffer): Image['type'] | undefined {
  const ascii = file.toString('latin1', 0, 32)
  if (ascii.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png'
  if (ascii.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (ascii.startsWith('RIFF') && ascii.slice(8, 12) === 'WEBP') return 'image/webp'
  if (ascii.slice(4, 8) === 'ftyp' && /^avi[fs]$/.test(ascii.slice(8, 12))) return 'image/avif'
  return undefined
}
