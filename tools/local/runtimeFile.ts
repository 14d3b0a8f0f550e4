// The process that runs the local servers of a data directory, so that others share them.
import { link, rm } from 'node:fs/promises'
import { join } from 'node:path'
import Type, { type Static } from 'typebox'
import { readPrivate, writePrivate } from './privateFiles.ts'
import { birthMark, isRunning } from './processes.ts'

const Runtime = Type.Object({
  pid: Type.Integer(),
  /** Tells the process from a later one with the same pid. */
  born: Type.String(),
  command: Type.String(),
  ready: Type.Boolean(),
  env: Type.Record(Type.String(), Type.String()),
  urls: Type.Record(Type.String(), Type.String()),
})

/** What `runtime.json` says. `env` holds passwords, which is why only its owner may read it. */
export type Runtime = Static<typeof Runtime>

/** The live process that holds the data directory; undefined when there is none. */
export async function readRuntime(dataDirectory: string): Promise<Runtime | undefined> {
  const runtime = await readPrivate(fileIn(dataDirectory), Runtime)
  const alive = runtime && isRunning(runtime.pid) && birthMark(runtime.pid) === runtime.born
  return alive ? runtime : undefined
}

/**
 * Takes the data directory for this process. Gives who has it instead when another process that
 * lives was first; what a killed one left behind is cleared away.
 */
export async function claim(
  dataDirectory: string,
  command: string,
): Promise<{ own: Runtime } | { other: Runtime }> {
  const { pid } = process
  const own = { pid, born: birthMark(pid), command, ready: false, env: {}, urls: {} }
  for (;;) {
    const other = await readRuntime(dataDirectory)
    if (other) return { other }
    await release(dataDirectory)
    if (await createOnce(fileIn(dataDirectory), own)) return { own }
  }
}

/** Says what runs; only for the process that claimed the directory. */
export async function publish(dataDirectory: string, runtime: Runtime): Promise<void> {
  await writePrivate(fileIn(dataDirectory), runtime)
}

export async function release(dataDirectory: string): Promise<void> {
  await rm(fileIn(dataDirectory), { force: true })
}

// A link appears whole or not at all, and only one of two that try at once succeeds.
async function createOnce(file: string, runtime: Runtime): Promise<boolean> {
  const draft = `${file}.${process.pid}`
  await writePrivate(draft, runtime)
  try {
    await link(draft, file)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

function fileIn(dataDirectory: string): string {
  return join(dataDirectory, 'runtime.json')
}
