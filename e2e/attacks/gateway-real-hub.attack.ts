// The same attacks, on a platform that keeps its objects in a real Kubernetes cluster. A module of its own, so that each has its platform.
await import(`${import.meta.resolve('./gateway.attack.ts')}?real-hub`)
