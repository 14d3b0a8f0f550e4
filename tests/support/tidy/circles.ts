// Circles of imports: files, folders or layers that need each other to be understood.
import { importsOf } from './layers.ts'
import type { Source } from './sources.ts'

/**
 * The groups of sources that import each other in a circle, each sorted. `groupOf` says to which
 * group the file at a path belongs.
 */
export function circlesOf(
  sources: readonly Source[],
  groupOf: (path: string) => string,
): string[][] {
  const edges = new Map<string, Set<string>>()
  for (const source of sources) {
    const from = groupOf(source.path)
    const targets = edges.get(from) ?? new Set()
    for (const { target, isFile } of importsOf(source)) {
      if (isFile && !target.startsWith('../')) targets.add(groupOf(`src/${target}`))
    }
    targets.delete(from)
    edges.set(from, targets)
  }
  const reachable = new Map([...edges.keys()].map(group => [group, reachedFrom(group, edges)]))
  const circles = [...reachable].flatMap(([group, reached]) => {
    if (!reached.has(group)) return []
    return [[...reached].filter(other => reachable.get(other)?.has(group)).sort()]
  })
  return [...new Map(circles.map(circle => [circle.join(), circle])).values()]
}

/** Every group that a group imports, directly or not; itself only where it is in a circle. */
function reachedFrom(group: string, edges: ReadonlyMap<string, ReadonlySet<string>>) {
  const reached = new Set<string>()
  const left = [...(edges.get(group) ?? [])]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (reached.has(next)) continue
    reached.add(next)
    left.push(...(edges.get(next) ?? []))
  }
  return reached
}
