// What the hash chain needs from the world: a place for its checkpoints, and a key to sign them.
import type { PublicKey } from './accountPorts.ts'
import type { Link } from './hashChain.ts'

/** What is signed of a part of the log: everything behind `after` up to `position`. */
export interface Checkpoint extends Link {
  after: bigint
  at: Date
}

/** The hash that an event had when its part was signed: it names the event that has changed. */
export interface Mark {
  position: bigint
  hash: string
}

/** A checkpoint as it is kept. */
export interface Kept {
  position: bigint
  after: bigint
  /** A JWS: RFC 7515, compact. */
  signed: string
}

export interface KeptPart extends Kept {
  marks: readonly Mark[]
}

export interface CheckpointBook {
  /** The checkpoint with the highest position. */
  last(): Promise<Kept | undefined>
  /** The newest checkpoint at or before a position. */
  upTo(position: bigint): Promise<Kept | undefined>
  /** Checkpoints behind a position, in order. */
  behind(position: bigint, limit: number): Promise<Kept[]>
  /** The same with their marks: 40 kB each. */
  partsBehind(position: bigint, limit: number): Promise<KeptPart[]>
  /** Adds a part; false when somebody else has taken its place in the chain. */
  add(part: KeptPart): Promise<boolean>
  /** Runs `work` unless another process is at it; false when one is. */
  alone(work: () => Promise<void>): Promise<boolean>
}

export interface CheckpointSigner {
  sign(checkpoint: Checkpoint): Promise<string>
  /** What was signed; undefined when it was not signed by a key of the shop. */
  open(signed: string): Promise<Checkpoint | undefined>
  /** Every key that has ever signed. */
  jwks(): Promise<{ keys: PublicKey[] }>
}

export interface AuditServices {
  book: CheckpointBook
  signer: CheckpointSigner
}
