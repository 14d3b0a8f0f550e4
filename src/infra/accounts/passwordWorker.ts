// The thread that hashes passwords: bcrypt keeps a thread busy for some 90 ms a piece.
import bcrypt from 'bcryptjs'
import { answerJobs } from '../system/threads.ts'

/** `input` is the peppered password, never the password. */
export type Job =
  | { task: 'hash'; input: string; cost: number }
  | { task: 'verify'; input: string; hash: string }

export type Reply = { hash: string } | { matches: boolean }

answerJobs<Job, Reply>(job =>
  job.task === 'hash'
    ? { hash: bcrypt.hashSync(job.input, job.cost) }
    : { matches: bcrypt.compareSync(job.input, job.hash) },
)
