// node tools/run.js SCRIPT [ARGUMENT]...: any Node >= 20 installs what is missing and runs a script of this repository on the pinned Node.
import { join } from 'node:path'
import { runOnPinnedNode } from './installation.js'

const [script, ...args] = process.argv.slice(2)
if (script === undefined) throw new Error('which script? node tools/run.js SCRIPT [ARGUMENT]...')
await runOnPinnedNode(join(import.meta.dirname, '..'), script, args)
