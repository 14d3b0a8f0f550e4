// What bulk imports of products need from outside.

/** An import as the shop has taken it in. */
export interface TakenImport {
  importId: string
  uploadId: string
  correlationId: string
  requestedBy: string
  format: string
  dryRun: boolean
  bytes: number
}

/** Prove that it was the shop that took an import in, or was asked to undo it. */
export interface ImportSeals {
  ofImport(taken: TakenImport): string
  ofPiece(uploadId: string, sequence: number, content: Buffer): string
  ofUndo(importId: string, requestedBy: string): string
}
