export { createSimulatedNodes, nodeKindLabel } from './simulated-nodes.ts'
export type { SimulatedNodesDeps, SimulatedNodesOptions } from './simulated-nodes.ts'
