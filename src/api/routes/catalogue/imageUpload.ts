// Takes an uploaded image: its form, its real format, and where it is kept.
import { createHash } from 'node:crypto'
import type {} from '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import { below } from '../../../commands/core/fieldFaults.ts'
import { createValidator } from '../../../commands/core/validator.ts'
import type { Image } from '../../../domain/catalogue/image.ts'
import { line } from '../../../domain/kernel/text.ts'
import { strict } from '../../../domain/kernel/types.ts'
import { createFairQueue, type FairQueue } from '../../../kit/fairQueue.ts'
import { type FileStore, type Imaging, originalName, renditionName } from '../../../ports/images.ts'
import { claimantOf } from '../../http/limitKeys.ts'
import { HttpProblem } from '../../http/problems.ts'

export const fileBytesMax = 5 * 1024 * 1024
/** The longer side of what is shown as the image itself. */
const fullPixels = 2_400

const AltLine = line(500, { minLength: 0 })
const checkAlt = createValidator(AltLine)

export const uploadLimits = { fileSize: fileBytesMax, files: 1, fields: 1, fieldSize: 4_000 }

/** The form as the OpenAPI document has it. */
export const UploadForm = Type.Object(
  {
    file: Type.String({
      format: 'binary',
      maxLength: fileBytesMax,
      description: 'PNG, JPEG, WebP or AVIF',
    }),
    alt: Type.Optional(AltLine),
  },
  strict,
)

interface Stores {
  files: FileStore
  imaging: Imaging
}

/** Scaling takes all cores for seconds, and memory: few at once, and people take turns. */
const uploadQueue = { atOnce: 2, each: 12, all: 24 }

/** Turns at looking at images and scaling them, in one process. */
export function createUploadQueue(): FairQueue {
  const detail = 'Too many images are being uploaded. Try again.'
  const crowded = () => new HttpProblem('request/unavailable', detail, { retryAfterSeconds: 2 })
  return createFairQueue({ ...uploadQueue, crowded })
}

/**
 * Reads the form, checks that the file is what it says it is, and stores it with a copy that is fit
 * to be shown. Throws 400, 413, 415 and 503 problems.
 */
export async function receiveImage(
  stores: Stores & { turns: FairQueue },
  request: FastifyRequest,
): Promise<Omit<Image, 'imageId'>> {
  const form = await readForm(request).catch(refuseMalformed)
  const turn = { kind: 'image', by: claimantOf(request).by }
  return stores.turns.take(turn, () => keepImage(stores, form))
}

async function keepImage({ files, imaging }: Stores, { content, declared, alt }: Form) {
  const found = await imaging.inspect(content)
  if (found === undefined) {
    const wanted = 'The file must be a PNG, JPEG, WebP or AVIF image of at most 50 million pixels.'
    throw new HttpProblem('request/unsupported', wanted)
  }
  if (declared !== found.type && declared !== 'application/octet-stream') {
    throw new HttpProblem('request/unsupported', `The file is ${found.type}, not ${declared}.`)
  }
  const shown = await imaging.render(content, fullPixels).catch(() => undefined)
  if (shown === undefined) {
    throw new HttpProblem('request/invalid', 'The image is damaged.', {
      errors: [
        { pointer: '/file', detail: 'must be a complete image: it cannot be decoded to its end' },
      ],
    })
  }
  const hash = createHash('sha256').update(content).digest('hex')
  await files.put(originalName(hash), content)
  await files.put(renditionName(hash, 'full'), shown)
  return { ...found, hash, alt }
}

/** What the parser itself throws says nothing of whose fault it is: it is the form's. */
function refuseMalformed(error: Error & { statusCode?: number }): never {
  if (error instanceof HttpProblem || error.statusCode !== undefined) throw error
  throw new HttpProblem('request/invalid', 'The multipart form is incomplete or malformed.', {
    errors: [{ pointer: '', detail: error.message }],
  })
}

interface Form {
  content: Buffer
  declared: string
  alt: string
}

async function readForm(request: FastifyRequest): Promise<Form> {
  if (!request.isMultipart()) {
    throw new HttpProblem('request/unsupported', 'The content type must be multipart/form-data.')
  }
  let file: { content: Buffer; declared: string } | undefined
  let alt: unknown = ''
  for await (const part of request.parts()) {
    if (part.type === 'file' && part.fieldname === 'file') {
      file = { content: await part.toBuffer(), declared: part.mimetype }
    } else if (part.type === 'field' && part.fieldname === 'alt') {
      alt = part.value
    } else {
      throw invalid(below('', part.fieldname), 'is not a known field: the fields are file and alt')
    }
  }
  if (file === undefined) throw invalid('/file', 'is required')
  const { value, faults } = checkAlt(alt)
  const [fault] = faults
  if (fault !== undefined) throw invalid('/alt', fault.detail)
  return { ...file, alt: String(value) }
}

function invalid(pointer: string, detail: string) {
  return new HttpProblem('request/invalid', 'The request body is invalid.', {
    errors: [{ pointer, detail }],
  })
}
