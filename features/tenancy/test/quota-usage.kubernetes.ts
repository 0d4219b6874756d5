import { onRealHub } from '@gantry/conformance/test-hub'

// The same tests over a real kube-apiserver as the hub.
onRealHub()
await import('./quota-usage.test.ts')
