import { provideRealHub } from './testing/hub-under-test.ts'

// The same tests of the whole platform over a real kube-apiserver as the hub. Modules of their own, so that the others of a run keep the embedded one.
provideRealHub()
for (const name of ['agent', 'audit', 'fleet', 'platform']) await import(`${import.meta.resolve(`./${name}.test.ts`)}?real-hub`)
