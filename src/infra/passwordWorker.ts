// The thread that hashes passwords: bcrypt keeps a thread busy for some 90 ms a piece.
import { parentPort } from 'node:worker_threads'
import bcrypt from 'bcryptjs'

/** `input` is the peppered password, never the password. */
export type Job =
  | { id: number; task: 'hash'; input: string; cost: number }
  | { id: number; task: 'verify'; input: string; hash: string }

export type Reply = { id: number; hash: string } | { id: number; matches: boolean }

parentPort?.on('message', (job: Job) => {
  parentPort?.postMessage(replyTo(job))
})

function replyTo(job: Job): Reply {
  if (job.task === 'hash') return { id: job.id, hash: bcrypt.hashSync(job.input, job.cost) }
  return { id: job.id, matches: bcrypt.compareSync(job.input, job.hash) }
}
