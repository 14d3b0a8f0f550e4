// The load generator: a process of its own, so that it can be seen apart from what it measures.
import { drive } from './drive.ts'
import { isLoadPlan } from './loadPlan.ts'

process.on('message', message => {
  if (!isLoadPlan(message)) return
  drive(message).then(
    result => process.send?.(result),
    error => process.send?.({ failed: error instanceof Error ? error.message : String(error) }),
  )
})
// Whoever started this process is gone.
process.on('disconnect', () => process.exit())
