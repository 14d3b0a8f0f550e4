// Images over HTTP: uploads for products and categories, and the files themselves.

import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import {
  addProductImage,
  removeCategoryImage,
  removeProductImage,
  setCategoryImage,
} from '../../../commands/catalogue/images.ts'
import { type Answer, execute } from '../../../commands/core/command.ts'
import { derivedId } from '../../../commands/core/ids.ts'
import { type Image, ImageHash, renditions } from '../../../domain/catalogue/image.ts'
import { isRejection } from '../../../domain/kernel/rejection.ts'
import { Id, strict } from '../../../domain/kernel/types.ts'
import type { FairQueue } from '../../../kit/fairQueue.ts'
import type { Envelope } from '../../../ports/envelope.ts'
import { renditionName } from '../../../ports/images.ts'
import { publicImage } from '../../../projections/catalogue/images.ts'
import { hasETag } from '../../http/caching.ts'
import { acceptedBody, commandRoute } from '../../http/commandRoute.ts'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem, sendRejection } from '../../http/problems.ts'
import { commandHeaders, envelopeOf } from '../../http/requests.ts'
import { publish } from '../../http/route.ts'
import { UploadedImage } from './catalogueSchemas.ts'
import { createUploadQueue, receiveImage, UploadForm, uploadLimits } from './imageUpload.ts'

type Uploading = ApiContext & { turns: FairQueue }

const tag = 'Catalogue'
const productParams = Type.Object({ productId: Id }, strict)
const categoryParams = Type.Object({ categoryId: Id }, strict)
const fileParams = Type.Object({ hash: ImageHash, rendition: Type.Enum([...renditions]) }, strict)

/** Publishes images. */
export function imageRoutes(server: FastifyInstance, context: ApiContext): void {
  server.register(async scope => {
    await scope.register(multipart, { limits: uploadLimits })
    // What the schema says of the form is documentation: it is checked where it is read.
    const compile = scope.validatorCompiler
    scope.setValidatorCompiler(route =>
      route.httpPart === 'body' || compile === undefined ? () => true : compile(route),
    )
    uploads(scope, context)
  })
  commandRoute(server, context, {
    tag,
    method: 'DELETE',
    url: '/products/:productId/images/:imageId',
    command: removeProductImage,
    summary: 'Delete an image of a product',
  })
  commandRoute(server, context, {
    tag,
    method: 'DELETE',
    url: '/categories/:categoryId/image',
    command: removeCategoryImage,
    summary: 'Delete the image of a category',
  })
  files(server, context)
}

function uploads(server: FastifyInstance, context: ApiContext): void {
  const { app } = context
  const stores = { ...context, turns: createUploadQueue() }
  const { roles } = addProductImage
  const shared = {
    access: roles === 'anyone' ? [] : roles,
    description: 'PNG, JPEG, WebP or AVIF of up to 5 MiB; `alt` describes the image.',
    tag,
    schema: { consumes: ['multipart/form-data'] },
    headers: commandHeaders({}),
    body: UploadForm,
    status: 201 as const,
    answer: UploadedImage,
  }
  publish(server, {
    ...shared,
    method: 'POST',
    url: '/products/:productId/images',
    summary: 'Add an image to a product',
    operationId: 'AddProductImage',
    params: productParams,
    handle: (request, reply) =>
      server.limit(request, () =>
        receive(stores, request, reply, (image, envelope) =>
          execute(app, addProductImage, { ...request.params, ...image }, envelope),
        ),
      ),
  })
  publish(server, {
    ...shared,
    method: 'PUT',
    url: '/categories/:categoryId/image',
    summary: 'Set the image of a category',
    operationId: 'SetCategoryImage',
    params: categoryParams,
    handle: (request, reply) =>
      server.limit(request, () =>
        receive(stores, request, reply, (image, envelope) =>
          execute(app, setCategoryImage, { ...request.params, ...image }, envelope),
        ),
      ),
  })
}

async function receive(
  context: Uploading,
  request: FastifyRequest,
  reply: FastifyReply,
  command: (image: Image, envelope: Envelope) => Promise<Answer>,
) {
  const received = await receiveImage(context, request)
  const envelope = envelopeOf(context, request, { ...received, params: request.params })
  const image = { ...received, imageId: derivedId(envelope.commandId, 'image') }
  const outcome = await command(image, envelope)
  if (isRejection(outcome)) return sendRejection(reply, outcome)
  return { ...acceptedBody(reply, outcome), image: publicImage(image) }
}

/** A year: the address has the hash of the file in it. */
const forGood = 'public, max-age=31536000, immutable'
const forNow = 'public, max-age=5'

function files(server: FastifyInstance, context: ApiContext): void {
  publish(server, {
    method: 'GET',
    url: '/images/:hash/:rendition',
    access: 'public',
    summary: 'Get an image in a size, or in its original size until that is rendered',
    tag,
    operationId: 'getImage',
    description: 'Products and categories contain the URLs of their images.',
    params: fileParams,
    answer: {
      description: 'The image',
      content: { 'image/webp': { schema: Type.String({ format: 'binary' }) } },
    },
    handle: (request, reply) => server.readLimit(request, () => sendFile(context, request, reply)),
  })
}

async function sendFile(
  { files }: ApiContext,
  request: FastifyRequest<{ Params: { hash: string; rendition: string } }>,
  reply: FastifyReply,
) {
  const { hash, rendition } = request.params
  // Shops on other origins show these images.
  reply.header('cross-origin-resource-policy', 'cross-origin')
  const made = await files.get(renditionName(hash, rendition))
  const content = made ?? (await files.get(renditionName(hash, 'full')))
  if (content === undefined) throw new HttpProblem('request/not-found', 'The image does not exist.')
  const etag = `"${hash.slice(0, 32)}-${made === undefined ? 'full' : rendition}"`
  reply
    .header('etag', etag)
    .header('cache-control', made === undefined ? forNow : forGood)
    .header('x-content-type-options', 'nosniff')
  if (hasETag(request, etag)) return reply.status(304).send()
  return reply.type('image/webp').send(content)
}
