// What images need from the world: a place for files, and somebody who can read and scale them.
import type { Image } from '../domain/catalogue/image.ts'

/** Files by name; what is once stored under a name never changes. */
export interface FileStore {
  /** Stores a file, whole or not at all; again under the same name is fine. */
  put(name: string, content: Uint8Array): Promise<void>
  /** The file, undefined when there is none. */
  get(name: string): Promise<Buffer | undefined>
}

export interface Imaging {
  /** What a file is, by its content alone; undefined when it is no image that can be shown. */
  inspect(file: Uint8Array): Promise<Pick<Image, 'type' | 'width' | 'height'> | undefined>
  /**
   * The image as WebP, upright, without metadata, its longer side at most so many pixels. Throws
   * when it cannot be decoded to the end.
   */
  render(file: Uint8Array, longerSide: number): Promise<Buffer>
}

/** Where the file lies that was sent. */
export const originalName = (hash: string) => `images/${hash.slice(0, 2)}/${hash}/original`

/** Where a rendition lies. */
export const renditionName = (hash: string, rendition: string) =>
  `images/${hash.slice(0, 2)}/${hash}/${rendition}.webp`
