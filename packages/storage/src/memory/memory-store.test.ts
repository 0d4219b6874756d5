import { createMemoryStore } from './memory-store.ts'
import { describeStore } from '../testing/describe-store.ts'

describeStore('memory store', (options) => Promise.resolve(createMemoryStore({}, options)))
