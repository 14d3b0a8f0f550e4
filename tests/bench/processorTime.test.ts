// Processor time of benchmarks: read from /proc, divided by what it was used for.
import { describe, expect, it } from 'vitest'
import { parseStat, timePerRequest } from '../../bench/processorTime.ts'

const numbers = Array.from({ length: 50 }, (_, at) => at)

describe('a line of /proc/PID/stat', () => {
  it('gives the parent, and user and system time with that of ended children', () => {
    const fields = ['S', 7, ...numbers.slice(0, 9), 100, 20, 3, 4, ...numbers].join(' ')
    const stat = { pid: 42, parent: 7, us: 1_270_000 }
    expect(parseStat(`42 (postgres) ${fields}`)).toEqual(stat)
    expect(parseStat(`42 (a) 1 (b) ${fields}`)).toEqual(stat)
  })

  it('gives nothing for a process that has ended', () => {
    expect(parseStat('')).toBeUndefined()
  })
})

describe('processor time per request', () => {
  it('divides what each part has used, and leaves out parts that used none', () => {
    const before = { API: 1_000, Redis: 500 }
    const after = { API: 21_000, Redis: 500, worker: 4_000 }
    expect(timePerRequest(before, after, 10)).toEqual({ API: 2_000, worker: 400 })
  })
})
