// The manifest of a backup: what it holds, sealed, so that nothing else is restored in its name.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { canonicalJson } from '../../audit/hashChain.ts'
import type { ManifestSeal } from '../../ports/backup.ts'
import { DamagedBackup } from './archive.ts'

export const manifestFile = 'manifest.json'
const Hash = Type.String({ pattern: '^[0-9a-f]{64}$' })
/** Below the backup, and nowhere else. */
const Path = Type.String({ pattern: '^[\\w-]+(\\.[\\w-]+)*(/[\\w-]+(\\.[\\w-]+)*)*$' })
const Count = Type.Integer({ minimum: 0 })

const ManifestSchema = Type.Object({
  format: Type.Literal(1),
  createdAt: Type.String({ maxLength: 40 }),
  shopId: Type.String({ maxLength: 40 }),
  currency: Type.String({ maxLength: 3 }),
  eventStore: Type.Union([Type.Literal('postgres'), Type.Literal('eventstoredb')]),
  migrations: Type.Array(Type.String({ maxLength: 200 })),
  /** Of the log: how many events, the position of the last one, and the hash over all. */
  log: Type.Object({
    events: Count,
    position: Type.String({ pattern: '^\\d{1,19}$' }),
    content: Hash,
  }),
  erased: Count,
  tables: Type.Array(Type.Object({ table: Type.String(), path: Path, rows: Count })),
  files: Type.Array(Type.Object({ path: Path, bytes: Count, sha256: Hash })),
})
const Written = Compile(Type.Object({ manifest: ManifestSchema, seal: Type.String() }))

export type Manifest = Static<typeof ManifestSchema>

/** Writes the manifest: only with it the directory is a backup. */
export async function writeManifest(
  directory: string,
  manifest: Manifest,
  { seal }: ManifestSeal,
): Promise<void> {
  const written = { manifest, seal: seal(canonicalJson(manifest)) }
  const text = `${JSON.stringify(written, null, 2)}\n`
  await writeFile(join(directory, manifestFile), text, { mode: 0o600, flush: true })
}

/**
 * Reads the manifest of a backup. Throws DamagedBackup where there is none, or where this secret
 * has not sealed it.
 */
export async function readManifest(
  directory: string,
  { isSeal }: Pick<ManifestSeal, 'isSeal'>,
): Promise<Manifest> {
  const text = await readFile(join(directory, manifestFile), 'utf8').catch(() => undefined)
  if (text === undefined) {
    throw new DamagedBackup(
      `${directory} is no backup: it has no ${manifestFile}, which is written last`,
    )
  }
  const written = parsed(text)
  if (!Written.Check(written)) throw new DamagedBackup(`${manifestFile} is not understood`)
  if (isSeal(canonicalJson(written.manifest), written.seal)) return written.manifest
  throw new DamagedBackup(
    `${manifestFile} was changed, or SECRET_KEY is not that of the shop that was backed up ` +
      '(npm start keeps it in DATA_DIR/secret.key): set SECRET_KEY',
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
