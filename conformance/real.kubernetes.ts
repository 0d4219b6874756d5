import { bodies } from './bodies/index.ts'
import { runConformance } from './src/conformance.ts'
import { startRealTarget } from './src/real-target.ts'

runConformance('kubernetes', startRealTarget, bodies)
