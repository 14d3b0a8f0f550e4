// Says in one line that this Node cannot run the sources, instead of showing where it stopped.
// Imported before everything else, and no TypeScript itself: an older Node reads it, too.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

// Types are stripped without a flag, and without a warning, from here on.
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `This is Node ${process.versions.node}, and the sources need 22.18 or newer: start with npm run ` +
      '(npm install has brought Node 24 along; where it has not, allow the install script of the ' +
      'package "node")',
  )
  process.exit(1)
}
