// What the codec needs to encrypt personal data in events.
/** Seals and opens text with the key of a person. `open` gives undefined once the key is erased. */
export interface Seals {
  seal(subject: string, text: string): Promise<string>
  open(subject: string, sealed: string): Promise<string | undefined>
  /** Whether the key of a person has been erased. */
  isErased(subject: string): Promise<boolean>
  /**
   * The log says that a person is erased: from now on nothing is opened with their key, also where
   * it is still known, or has not been destroyed yet.
   */
  forget(subject: string): void
}

/** Whom a stream is about, as its first event says. */
export type OwnerOf = (stream: string) => Promise<string | undefined>
