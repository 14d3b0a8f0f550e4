// Images of products and categories as the log has them; the files are stored elsewhere.
import Type, { type Static } from 'typebox'
import { Id } from '../kernel/types.ts'

/** The formats that are accepted. */
export const imageTypes = ['image/png', 'image/jpeg', 'image/webp', 'image/avif'] as const

/** Of the file as it was sent: each file is stored once. */
export const ImageHash = Type.String({ pattern: '^[0-9a-f]{64}$', maxLength: 64 })
/** The text for people who do not see the image. */
export const AltText = Type.String({ maxLength: 500 })

/** The fields of an image in events; width and height are in pixels, the right way up. */
export const imageFields = {
  imageId: Id,
  hash: ImageHash,
  type: Type.Enum([...imageTypes]),
  width: Type.Integer({ minimum: 1, maximum: 100_000 }),
  height: Type.Integer({ minimum: 1, maximum: 100_000 }),
  alt: AltText,
}

const { type: _, ...shownFields } = imageFields
const Image = Type.Object(imageFields)
export type Image = Static<typeof Image>
/** An image as it is shown: in what format it was sent does not matter. */
export const ShownImage = Type.Object(shownFields)
export type ShownImage = Static<typeof ShownImage>

/** The most images of one product. */
export const imagesMax = 10

/** Sizes in which an image is offered: the pixels of its longer side. */
export const variants = { small: 200, medium: 600, large: 1200 } as const
export type Variant = keyof typeof variants
/** `full` is the image at its own size, without what a camera writes into it. */
export type Rendition = Variant | 'full'
export const renditions = ['small', 'medium', 'large', 'full'] as const satisfies Rendition[]
