// npm test: any Node >= 20 installs what is missing and runs the tests on the pinned Node.
import { join } from 'node:path'
import { runOnPinnedNode } from './installation.js'

await runOnPinnedNode(join(import.meta.dirname, '..'), 'tools/run-tests.ts', process.argv.slice(2))
