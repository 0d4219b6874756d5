export { createFleet } from './fleet.ts'
export type { Fleet, FleetDeps } from './fleet.ts'
export type { FleetMembers, ReadPermissions, ReadTarget } from './ports.ts'
