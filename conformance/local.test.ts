import { bodies } from './bodies/index.ts'
import { runConformance } from './src/conformance.ts'
import { startLocalTarget } from './src/local-target.ts'

runConformance('local', startLocalTarget, bodies)
