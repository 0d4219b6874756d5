import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDocuments } from '@gantry/console-kit/yaml'
import { templates } from './templates.ts'

for (const template of templates) {
  test(`has whole objects in the template ${template.id}`, () => {
    const documents = parseDocuments(template.yaml)
    assert.equal(documents.length > 0, true)
    for (const document of documents) assert.equal(document.result.ok, true)
  })
}
