export { startPlatform } from './platform.ts'
export type { Platform, PlatformPorts } from './platform.ts'
export type { PlatformConfig } from './config.ts'
