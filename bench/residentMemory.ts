// How much memory a process has, as Linux counts it.
import { readFile } from 'node:fs/promises'

/** What it has now, in MB. Throws where there is no /proc. */
export function residentMb(pid: number): Promise<number> {
  return statusMb(pid, 'VmRSS')
}

/** The most it has ever had, in MB. Throws where there is no /proc. */
export function peakMb(pid: number): Promise<number> {
  return statusMb(pid, 'VmHWM')
}

async function statusMb(pid: number, field: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const found = new RegExp(`^${field}:\\s*(\\d+) kB`, 'm').exec(status)?.[1]
  if (found === undefined) throw new Error(`/proc does not say ${field} of ${pid}`)
  return Number(found) / 1_024
}
