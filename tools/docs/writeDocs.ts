// npm run docs: writes the files of docs/ that follow from the code.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generatedDocs } from './generatedDocs.ts'

for (const { path, text } of await generatedDocs()) {
  await writeFile(join(import.meta.dirname, '../..', path), text)
  console.log(path)
}
