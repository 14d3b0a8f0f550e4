// npm run docs: writes the files of docs/ that follow from the code.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generatedDocs } from './generatedDocs.ts'

const [unknown] = process.argv.slice(2)
if (unknown === undefined) await writeDocs()
else {
  console.error(`npm run docs takes no arguments, such as ${unknown}`)
  process.exitCode = 1
}

async function writeDocs(): Promise<void> {
  for (const { path, text } of await generatedDocs()) {
    await writeFile(join(import.meta.dirname, '../..', path), text)
    console.log(path)
  }
}
