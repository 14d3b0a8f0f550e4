// What package.json and the lock file may say: exact versions, checked contents, no addresses.
import Type from 'typebox'
import { Parse } from 'typebox/value'

const Pins = Type.Record(Type.String(), Type.String())
const Manifest = Type.Object({ dependencies: Pins, devDependencies: Pins })
const Names = Type.Optional(Pins)
const Lock = Type.Object({
  packages: Type.Record(
    Type.String(),
    Type.Object({
      integrity: Type.Optional(Type.String()),
      resolved: Type.Optional(Type.String()),
      inBundle: Type.Optional(Type.Boolean()),
      dependencies: Names,
      optionalDependencies: Names,
    }),
  ),
})

/** Dependencies that are not pinned to one version. */
export function loosePins(manifest: string): string[] {
  const { dependencies, devDependencies } = Parse(Manifest, JSON.parse(manifest))
  return Object.entries({ ...dependencies, ...devDependencies })
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => `${name} ${version}`)
}

/** Names of the libraries that run in production. */
export function dependencyNames(manifest: string): string[] {
  return Object.keys(Parse(Manifest, JSON.parse(manifest)).dependencies)
}

/**
 * What is wrong with a lock file: addresses in it, contents that nobody checks, and dependencies it
 * has no entry for, be it those of another platform: npm ci refuses to work with such a file.
 */
export function looseLocks(lock: string): string[] {
  const { packages } = Parse(Lock, JSON.parse(lock))
  const known = new Set(Object.keys(packages).map(name => name.split('node_modules/').at(-1)))
  return Object.entries(packages).flatMap(([name, entry]) => {
    const wanted = Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })
    const missing = wanted.filter(each => !known.has(each))
    return [...contentFaults(name, entry), ...missing.map(each => `${name} lacks ${each}`)]
  })
}

function contentFaults(
  name: string,
  entry: { integrity?: string; resolved?: string; inBundle?: boolean },
): string[] {
  if (name === '') return []
  if (entry.resolved !== undefined) return [`${name} has an address`]
  return entry.integrity === undefined && !entry.inBundle ? [`${name} has no integrity`] : []
}
