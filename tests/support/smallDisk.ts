// A file system of its own for a directory, whose space a test takes away and gives back.
import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, mkdirSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'

export interface SmallDisk {
  /** From now on nothing more can be stored. */
  fill(): void
  /** There is room again. */
  free(): void
  unmount(): void
}

const roomy = 4 * 2 ** 30

/** Mounts one; undefined where the machine does not let us, which takes root on Linux. */
export function smallDisk(directory: string): SmallDisk | undefined {
  mkdirSync(directory, { recursive: true })
  if (!mounted(['-t', 'tmpfs', '-o', `mode=755,size=${roomy}`, 'tmpfs', directory])) {
    return undefined
  }
  chmodSync(directory, 0o755)
  const filler = join(directory, '.filler')
  const resize = (size: number) => mounted(['-o', `remount,size=${size}`, directory])
  return {
    fill() {
      // Somebody may store something between the two.
      let tries = 0
      while (!resize(usedBytes(directory))) {
        tries += 1
        if (tries > 50) throw new Error(`${directory} cannot be filled`)
      }
      takeTheRest(filler)
    },
    free() {
      rmSync(filler, { force: true })
      if (!resize(roomy)) throw new Error(`${directory} cannot be given room`)
    },
    unmount() {
      execFileSync('umount', ['--lazy', directory])
    },
  }
}

/** At least a page: a size of nothing means no bound. */
function usedBytes(directory: string): number {
  const { blocks, bfree, bsize } = statfsSync(directory)
  return Math.max(1, blocks - bfree) * bsize
}

function takeTheRest(filler: string): void {
  try {
    for (;;) appendFileSync(filler, Buffer.alloc(4_096))
  } catch {
    // Now it is full.
  }
}

function mounted(args: string[]): boolean {
  try {
    execFileSync('mount', args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
