import { onRealHub } from '@gantry/conformance/test-hub'

// The same tests with a real kube-apiserver as the hub, and as the cluster in which the namespace is.
onRealHub()
await import('./move.test.ts')
await import('./move-crash.test.ts')
